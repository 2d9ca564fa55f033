/* What is the process's own: its threads, files, children, signals, and which system calls it may make. */
#include "host.h"
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

long long nanoseconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

void nap(long microseconds)
{
	struct timespec t = { microseconds / 1000000, microseconds % 1000000 * 1000 };

	nanosleep(&t, NULL);
}

pthread_t thread_of(void *(*function)(void *), void *data)
{
	pthread_t id;

	if (pthread_create(&id, NULL, function, data) != 0)
		exit(2);
	return id;
}

void *authenticate(void *pamh)
{
	return (void *)(long)pam_authenticate(pamh, 0);
}

int tasks_now(void)
{
	DIR *directory = opendir("/proc/self/task");
	int count = -2;

	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

void tasks(const char *value)
{
	(void)value;
	printf("{\"tasks\": %d}\n", tasks_now());
}

void mapped(const char *value)
{
	char line[4096];
	FILE *maps = fopen("/proc/self/maps", "r");
	int module = 0, sender = 0;

	(void)value;
	while (fgets(line, sizeof line, maps)) {
		module |= strstr(line, "pam_authalert") != NULL;
		sender |= strstr(line, "authalert_sender") != NULL;
	}
	fclose(maps);
	printf("{\"module\": %d, \"sender\": %d}\n", module, sender);
}

/* The six functions without a handle and without arguments, as no libpam calls them. */
void null_calls(const char *path)
{
	static const char *const names[] = { "pam_sm_authenticate", "pam_sm_setcred", "pam_sm_acct_mgmt",
					     "pam_sm_open_session", "pam_sm_close_session", "pam_sm_chauthtok" };
	void *module = dlopen(path, RTLD_NOW);

	for (int i = 0; i < 6; i++) {
		int (*function)(void *, int, int, const char **);
		const char *holes[] = { "authfail", NULL, NULL };

		*(void **)&function = dlsym(module, names[i]);
		printf("{\"null\": [%d, %d, %d]}\n", function(NULL, 0, 0, NULL), function(NULL, -1, 5, NULL),
		       function(NULL, 0, 3, holes));
	}
}

void await(const char *path)
{
	struct stat status;

	for (int i = 0; i < 2000 && (stat(path, &status) != 0 || status.st_size == 0); i++)
		usleep(10000);
}

void sleep_for(const char *milliseconds)
{
	usleep((useconds_t)atoi(milliseconds) * 1000);
}

static void on_alarm(int number) { (void)number; }

void alarm_after(const char *milliseconds)
{
	struct itimerval timer = { { 0, 0 }, { 0, atoi(milliseconds) * 1000 } };
	struct sigaction action = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* Each parent is new, so that its worker loads everything anew while the child is made. */
static int fork_while_busy(int i)
{
	pid_t parent = fork(), child;
	int status = 0;

	if (parent == 0) {
		/* As sshd's monitor does: the handle stays open. */
		int code = pam_authenticate(begin("parent", NULL), 0);

		nap((long)i % 40 * 40);
		child = fork();
		if (child == 0) {
			alarm(8);
			_exit(once("child") == PAM_AUTH_ERR ? 0 : 1);
		}
		waitpid(child, &status, 0);
		_exit(code != PAM_AUTH_ERR ? 3 : WIFSIGNALED(status) ? 2 : WEXITSTATUS(status));
	}
	waitpid(parent, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}

int forks(const char *value)
{
	int hang = 0;

	for (int i = 0; i < atoi(value); i++) {
		int result = fork_while_busy(i);

		if (result == 2)
			hang++;
		else if (result != 0)
			printf("run %d: %d\n", i, result);
	}
	printf("%d of %s children hang\n", hang, value);
	return hang;
}

int reload(const char *value)
{
	int bad = 0;

	for (int i = 0; i < atoi(value); i++) {
		bad += once("reload") != PAM_AUTH_ERR;
		/* libpam has unloaded the stack; what the worker needs must still be there. */
		if (i % 4 == 0)
			nap(3000);
	}
	return bad;
}

static atomic_int handled;

static void on_signal(int number)
{
	(void)number;
	atomic_fetch_add(&handled, 1);
}

int signals(const char *value)
{
	struct sigaction action = { .sa_handler = on_signal };
	int workers = 0;

	(void)value;
	for (int number = 1; number < 32; number++)
		sigaction(number, &action, NULL);
	for (int i = 0; i < 20; i++) {
		struct timespec at_once = { 0, 0 };
		sigset_t all, before;

		once("signals");
		sigfillset(&all);
		pthread_sigmask(SIG_BLOCK, &all, &before);
		workers += tasks_now() > 1;
		kill(getpid(), SIGUSR1);
		kill(getpid(), SIGALRM);
		kill(getpid(), SIGCHLD);
		nap(2000);
		while (sigtimedwait(&all, NULL, &at_once) > 0)
			;
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	printf("%d ran on a worker; one was there %d times of 20\n", handled, workers);
	return handled != 0 || workers == 0;
}

static void install(const struct sock_filter *rules, size_t count)
{
	struct sock_fprog program = { (unsigned short)count, (struct sock_filter *)rules };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		exit(2);
}

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)

void filter(const char *value)
{
	static const struct sock_filter no_connect[] = {
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 1),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		RETURN(SECCOMP_RET_ALLOW),
	};

	if (strcmp(value, "connect") != 0)
		exit(2);
	install(no_connect, sizeof no_connect / sizeof *no_connect);
}

/* Whatever is written to the places of the standard streams fails: what is recorded was written elsewhere. */
int low(const char *value)
{
	static const struct sock_filter no_low_write[] = {
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwrite64, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_writev, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		LOAD(args[0]),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 2, 0, 1),
		RETURN(SECCOMP_RET_ALLOW),
		RETURN(SECCOMP_RET_ERRNO | EIO),
	};
	int saved = dup2(1, 100), code;

	(void)value;
	for (int file = 0; file < 3; file++)
		close(file);
	install(no_low_write, sizeof no_low_write / sizeof *no_low_write);
	code = once("low");
	dprintf(saved, "code %d\n", code);
	return code != PAM_AUTH_ERR;
}
