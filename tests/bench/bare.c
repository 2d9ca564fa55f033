/* A module that makes the system calls that ours makes where a mark is fresh, in the same order, and does nothing else:
 * the least that such a login costs with what is promised of a record. Why each of them is made stands in
 * src/journal/append.rs and target.rs, src/pam/guard.rs and src/pam/marks.rs.
 *
 * Its arguments: the state directory, its journal, and in there the marks and the current segment. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <security/pam_modules.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAFELY (O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_NOATIME)

/* What changes from login to login is in memory of the module's own. */
static int logins = 1;

static void look(const char *path)
{
	char number[12];
	int file = open(path, O_RDONLY | SAFELY);

	if (pread(file, number, 12, 0) == 12)
		logins++;
	close(file);
}

static void append(const char *path)
{
	char line[180], head[128];
	struct stat stat;
	int file = open(path, O_RDWR | O_APPEND | O_CREAT | SAFELY, 0600);

	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	flock(file, LOCK_SH | LOCK_NB);
	if (fstat(file, &stat) == 0 && pread(file, head, sizeof head, 0) >= 0 && write(file, line, sizeof line) > 0)
		logins++;
	flock(file, LOCK_UN);
	close(file);
}

int pam_sm_authenticate(pam_handle_t *handle, int flags, int argc, const char **argv)
{
	struct rlimit limit;
	struct stat stat_of;
	sigset_t set, before;

	(void)handle; (void)flags;
	if (argc != 4)
		return PAM_IGNORE;
	look(argv[2]);
	if (stat(argv[0], &stat_of) == 0 && stat(argv[1], &stat_of) == 0)
		logins += getpid() + getppid() + (int)getuid() + (int)getuid() + (int)getuid();
	memset(&set, 0, sizeof set);
	sigprocmask(SIG_BLOCK, &set, &before);
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0)
		append(argv[3]);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return PAM_IGNORE;
}
