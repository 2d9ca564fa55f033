/* The steps on one handle: what an application of libpam may call and set, in whatever order. */
#include "host.h"
#include <sys/wait.h>

static pam_handle_t *handle;
static int last = PAM_SUCCESS;

void report(const char *what, call *call)
{
	long long begun = nanoseconds(CLOCK_MONOTONIC), took;
	int code = call();

	took = nanoseconds(CLOCK_MONOTONIC) - begun;
	if (code != PAM_SUCCESS || call != call_start)
		last = code;
	printf("{\"do\": \"%s\", \"code\": %d, \"text\": \"%s\", \"ms\": %.3f}\n", what, code, pam_strerror(handle, code),
	       (double)took / 1e6);
}

int call_start(void) { return pam_start_confdir(service, user, &convs[1], confdir, &handle); }
int call_auth(void) { return pam_authenticate(handle, 0); }
int call_setcred(void) { return pam_setcred(handle, PAM_ESTABLISH_CRED); }
int call_acct(void) { return pam_acct_mgmt(handle, 0); }
int call_open(void) { return pam_open_session(handle, 0); }
int call_close(void) { return pam_close_session(handle, 0); }
int call_chauthtok(void) { return pam_chauthtok(handle, 0); }

int call_end(void)
{
	int code = pam_end(handle, last);

	handle = NULL;
	return code;
}

int call_thread_auth(void)
{
	void *code;

	pthread_join(thread_of(authenticate, handle), &code);
	return (int)(long)code;
}

int call_fork_auth(void)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		int code = call_auth();

		fflush(stdout);
		_exit(code);
	}
	waitpid(child, &status, 0);
	printf("{\"child\": %d}\n", (int)child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

void fork_tasks(const char *value)
{
	pid_t child;

	(void)value;
	fflush(stdout);
	child = fork();
	if (child == 0) {
		int most = 0;

		for (int i = 0; i < 5; i++) {
			int count;

			call_auth();
			count = tasks_now();
			most = count > most ? count : most;
		}
		printf("{\"child-tasks\": %d}\n", most);
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void delayed(int number, int status, unsigned microseconds, void *appdata)
{
	printf("{\"delay\": %d, \"appdata\": %d, \"status\": %d, \"us\": %u}\n", number, which(appdata), status, microseconds);
}

static void delay1(int s, unsigned us, void *d) { delayed(1, s, us, d); }
static void delay2(int s, unsigned us, void *d) { delayed(2, s, us, d); }
static void (*const delays[3])(int, unsigned, void *) = { NULL, delay1, delay2 };

void set_answer(const char *value) { answer = value; }
void set_name(const char *value) { name = value; }
void set_service(const char *value) { service = value; }
void set_env(const char *value) { pam_putenv(handle, value); }
void set_conv(const char *value) { pam_set_item(handle, PAM_CONV, &convs[atoi(value)]); }
void set_delay_function(const char *value) { pam_set_item(handle, PAM_FAIL_DELAY, (const void *)delays[atoi(value)]); }

void set_item(const char *value)
{
	char bytes[70000], *hex;
	int item = (int)strtol(value, &hex, 10);
	size_t length = 0;

	for (hex++; hex[0] && hex[1] && length + 1 < sizeof bytes; hex += 2) {
		unsigned byte;

		sscanf(hex, "%2x", &byte);
		bytes[length++] = (char)byte;
	}
	bytes[length] = '\0';
	printf("{\"item\": %d, \"code\": %d}\n", item, pam_set_item(handle, item, bytes));
}

void show_items(const char *value)
{
	const struct pam_conv *conv = NULL;
	const void *delay = NULL;
	int c = -1, d = -1;

	(void)value;
	pam_get_item(handle, PAM_CONV, (const void **)&conv);
	pam_get_item(handle, PAM_FAIL_DELAY, &delay);
	for (int i = 0; i < 3; i++) {
		if (conv != NULL && conv->conv == convs[i].conv)
			c = i;
		if (delay == (const void *)delays[i])
			d = i;
	}
	printf("{\"items\": [%d, %d, %d]}\n", c, conv == NULL ? -2 : which(conv->appdata_ptr), d);
}
