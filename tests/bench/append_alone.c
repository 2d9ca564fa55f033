/* A module that does nothing but append a line of a record's length to the file that it is given: the least that a
 * login can cost of which something is to be on disk. */
#include <fcntl.h>
#include <security/pam_modules.h>
#include <string.h>
#include <unistd.h>

int pam_sm_authenticate(pam_handle_t *handle, int flags, int argc, const char **argv)
{
	char line[180];
	int file;

	(void)handle; (void)flags;
	if (argc != 1 || (file = open(argv[0], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) < 0)
		return PAM_IGNORE;
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	if (write(file, line, sizeof line) < 0)
		return PAM_SYSTEM_ERR;
	close(file);
	return PAM_IGNORE;
}
