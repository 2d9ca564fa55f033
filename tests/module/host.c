/* An application of libpam that does what its arguments say, and tells what it saw, a JSON object a line.
 *
 *   host CONFDIR SERVICE USER COMMAND...      (USER "-": none yet)
 *
 *   start end auth setcred acct open close chauthtok
 *   answer=TEXT | answer=@err @null @none @again @nested @once     to hidden prompts, from now on
 *   name=TEXT                                                to shown ones
 *   item=NUMBER:HEX                                          pam_set_item
 *   env=NAME=VALUE                                           pam_putenv
 *   conv=N, delayfn=N                                        the application's own, N 1 or 2; 0: none
 *   items                                                    what is in PAM_CONV and PAM_FAIL_DELAY
 *   fork-tasks                                               a child that fails five times: the most threads it had
 *   fork-auth, thread-auth                                   in a child that _exits, on another thread
 *   threads=N,M                                              N threads with handles of their own, M tries each
 *   await=FILE                                               until it is there and not empty, 20 s at most
 *   service=NAME sleep=MS alarm=MS tasks mapped null
 */
#define _GNU_SOURCE
#include <security/pam_appl.h>
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *confdir, *service, *user;
static const char *answer = "wrong", *name = "alice";
static pam_handle_t *handle;
static int last = PAM_SUCCESS;
static char mark[3];	/* &mark[N] is the appdata of conversation N */
static __thread int quiet;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int which(const void *appdata)
{
	for (int i = 1; i < 3; i++)
		if (appdata == &mark[i])
			return i;
	return appdata == NULL ? 0 : -1;
}

static int nested(void);

static int converse(int number, int count, const struct pam_message **messages, struct pam_response **responses,
		    void *appdata)
{
	struct pam_response *r;

	if (!quiet)
		for (int i = 0; i < count; i++)
			printf("{\"conv\": %d, \"appdata\": %d, \"style\": %d, \"text\": \"%s\"}\n", number, which(appdata),
			       messages[i]->msg_style, messages[i]->msg);
	for (int i = 0; i < count; i++) {
		if (messages[i]->msg_style != PAM_PROMPT_ECHO_OFF)
			continue;
		if (strcmp(answer, "@err") == 0)
			return PAM_CONV_ERR;
		if (strcmp(answer, "@once") == 0) {
			answer = "@err";
			r = calloc((size_t)count, sizeof *r);
			r[i].resp = strdup("wrong");
			*responses = r;
			return PAM_SUCCESS;
		}
		if (strcmp(answer, "@again") == 0)
			return PAM_CONV_AGAIN;
		if (strcmp(answer, "@none") == 0) {
			*responses = NULL;
			return PAM_SUCCESS;
		}
		if (strcmp(answer, "@nested") == 0)
			nested();
	}
	r = calloc((size_t)count, sizeof *r);
	for (int i = 0; i < count; i++) {
		if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF && strcmp(answer, "@null") != 0)
			r[i].resp = strdup(answer);
		if (messages[i]->msg_style == PAM_PROMPT_ECHO_ON)
			r[i].resp = strdup(name);
	}
	*responses = r;
	return PAM_SUCCESS;
}

static int conv1(int n, const struct pam_message **m, struct pam_response **r, void *d) { return converse(1, n, m, r, d); }
static int conv2(int n, const struct pam_message **m, struct pam_response **r, void *d) { return converse(2, n, m, r, d); }
static const struct pam_conv convs[3] = { { 0 }, { conv1, &mark[1] }, { conv2, &mark[2] } };

static void delayed(int number, int status, unsigned microseconds, void *appdata)
{
	printf("{\"delay\": %d, \"appdata\": %d, \"status\": %d, \"us\": %u}\n", number, which(appdata), status, microseconds);
}

static void delay1(int s, unsigned us, void *d) { delayed(1, s, us, d); }
static void delay2(int s, unsigned us, void *d) { delayed(2, s, us, d); }
static void (*const delays[3])(int, unsigned, void *) = { NULL, delay1, delay2 };

static int authenticate_once(const char *in)
{
	pam_handle_t *h;
	int code = pam_start_confdir(in, "alice", &convs[1], confdir, &h);

	if (code != PAM_SUCCESS)
		return code;
	code = pam_authenticate(h, 0);
	pam_end(h, code);
	return code;
}

static int nested(void)
{
	answer = "wrong";
	printf("{\"nested\": %d}\n", authenticate_once("inner"));
	return 0;
}

static void report(const char *what, int code, double begun)
{
	if (code != PAM_SUCCESS || strcmp(what, "start") != 0)
		last = code;
	printf("{\"do\": \"%s\", \"code\": %d, \"text\": \"%s\", \"ms\": %.3f}\n", what, code, pam_strerror(handle, code),
	       now() - begun);
	fflush(stdout);
}

static void show_items(void)
{
	const struct pam_conv *conv = NULL;
	const void *delay = NULL;
	int c = -1, d = -1;

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

static void set_item(const char *word)
{
	char value[70000], *hex;
	int item = (int)strtol(word, &hex, 10);
	size_t length = 0;

	for (hex++; hex[0] && hex[1] && length + 1 < sizeof value; hex += 2) {
		unsigned byte;

		sscanf(hex, "%2x", &byte);
		value[length++] = (char)byte;
	}
	value[length] = '\0';
	printf("{\"item\": %d, \"code\": %d}\n", item, pam_set_item(handle, item, value));
}

static void *one_auth(void *result)
{
	*(int *)result = pam_authenticate(handle, 0);
	return NULL;
}

struct crew { int tries; int failures; };

static void *many(void *argument)
{
	struct crew *crew = argument;

	quiet = 1;
	for (int i = 0; i < crew->tries; i++)
		crew->failures += authenticate_once(service) == PAM_AUTH_ERR;
	return NULL;
}

static void threads(int count, int tries)
{
	pthread_t ids[256];
	struct crew crews[256];
	int failures = 0;

	for (int i = 0; i < count && i < 256; i++) {
		crews[i] = (struct crew){ tries, 0 };
		pthread_create(&ids[i], NULL, many, &crews[i]);
	}
	for (int i = 0; i < count && i < 256; i++) {
		pthread_join(ids[i], NULL);
		failures += crews[i].failures;
	}
	printf("{\"failures\": %d}\n", failures);
}

static int count_tasks(void)
{
	DIR *directory = opendir("/proc/self/task");
	int count = 0;

	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

static void fork_tasks(void)
{
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		int most = 0;

		for (int i = 0; i < 5; i++) {
			int count;

			pam_authenticate(handle, 0);
			count = count_tasks();
			most = count > most ? count : most;
		}
		printf("{\"child-tasks\": %d}\n", most);
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void mapped(void)
{
	char line[4096];
	FILE *maps = fopen("/proc/self/maps", "r");
	int module = 0, sender = 0;

	while (fgets(line, sizeof line, maps)) {
		module |= strstr(line, "pam_authalert") != NULL;
		sender |= strstr(line, "authalert_sender") != NULL;
	}
	fclose(maps);
	printf("{\"module\": %d, \"sender\": %d}\n", module, sender);
}

/* The six functions without a handle and without arguments, as no libpam calls them. */
static void null_calls(const char *path)
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

static void await(const char *path)
{
	struct stat status;

	for (int i = 0; i < 2000 && (stat(path, &status) != 0 || status.st_size == 0); i++)
		usleep(10000);
}

static void on_alarm(int number) { (void)number; }

static int is(const char *word, const char *key, const char **value)
{
	size_t length = strlen(key);

	*value = word + length + 1;
	return strncmp(word, key, length) == 0 && word[length] == '=';
}

static void act(const char *word)
{
	double begun = now();
	const char *v;

	if (strcmp(word, "start") == 0)
		report(word, pam_start_confdir(service, user, &convs[1], confdir, &handle), begun);
	else if (strcmp(word, "end") == 0) {
		int code = pam_end(handle, last);

		handle = NULL;
		report(word, code, begun);
	} else if (strcmp(word, "auth") == 0)
		report(word, pam_authenticate(handle, 0), begun);
	else if (strcmp(word, "setcred") == 0)
		report(word, pam_setcred(handle, PAM_ESTABLISH_CRED), begun);
	else if (strcmp(word, "acct") == 0)
		report(word, pam_acct_mgmt(handle, 0), begun);
	else if (strcmp(word, "open") == 0)
		report(word, pam_open_session(handle, 0), begun);
	else if (strcmp(word, "close") == 0)
		report(word, pam_close_session(handle, 0), begun);
	else if (strcmp(word, "chauthtok") == 0)
		report(word, pam_chauthtok(handle, 0), begun);
	else if (is(word, "answer", &v))
		answer = v;
	else if (is(word, "name", &v))
		name = v;
	else if (is(word, "service", &v))
		service = v;
	else if (is(word, "item", &v))
		set_item(v);
	else if (is(word, "env", &v))
		pam_putenv(handle, v);
	else if (is(word, "conv", &v))
		pam_set_item(handle, PAM_CONV, &convs[atoi(v)]);
	else if (is(word, "delayfn", &v))
		pam_set_item(handle, PAM_FAIL_DELAY, (const void *)delays[atoi(v)]);
	else if (strcmp(word, "items") == 0)
		show_items();
	else if (strcmp(word, "thread-auth") == 0) {
		pthread_t id;
		int code = -1;

		pthread_create(&id, NULL, one_auth, &code);
		pthread_join(id, NULL);
		report(word, code, begun);
	} else if (strcmp(word, "fork-auth") == 0) {
		int status;
		pid_t child;

		fflush(stdout);
		child = fork();
		if (child == 0) {
			int code = pam_authenticate(handle, 0);

			fflush(stdout);
			_exit(code);
		}
		waitpid(child, &status, 0);
		printf("{\"child\": %d}\n", (int)child);
		report(word, WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), begun);
	} else if (is(word, "threads", &v))
		threads(atoi(v), atoi(strchr(v, ',') + 1));
	else if (is(word, "await", &v))
		await(v);
	else if (is(word, "sleep", &v))
		usleep((useconds_t)atoi(v) * 1000);
	else if (is(word, "alarm", &v)) {
		struct itimerval timer = { { 0, 0 }, { 0, atoi(v) * 1000 } };
		struct sigaction action = { .sa_handler = on_alarm };

		sigaction(SIGALRM, &action, NULL);
		setitimer(ITIMER_REAL, &timer, NULL);
	} else if (strcmp(word, "fork-tasks") == 0)
		fork_tasks();
	else if (strcmp(word, "tasks") == 0)
		printf("{\"tasks\": %d}\n", count_tasks());
	else if (strcmp(word, "mapped") == 0)
		mapped();
	else if (is(word, "null", &v))
		null_calls(v);
	else {
		fprintf(stderr, "host: what is '%s'?\n", word);
		exit(2);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	confdir = argv[1];
	service = argv[2];
	user = strcmp(argv[3], "-") == 0 ? NULL : argv[3];
	for (int i = 4; i < argc; i++)
		act(argv[i]);
	return 0;
}
