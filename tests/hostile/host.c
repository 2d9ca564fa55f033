/* Hosts that a module meets and its author did not think of.
 *
 *   host threads CONFDIR SERVICE THREADS TRIES   transactions at once; prints how many failed as they should
 *   host fork CONFDIR SERVICE TRIES              a failure, and a fork while the worker is busy; the child authenticates
 *   host cancel CONFDIR SERVICE TRIES            the thread is cancelled in its conversation or in the delay
 *   host pending CONFDIR SERVICE TRIES           asked to end while the failure is recorded: that comes first
 *   host reload CONFDIR SERVICE TRIES            pam_end unloads the stack between transactions
 *   host items CONFDIR SERVICE                   the application's own conversation and delay function
 *   host nested CONFDIR SERVICE                  a transaction inside the conversation of another
 *   host again CONFDIR SERVICE                   a conversation that answers later, on another thread
 *   host crowd CONFDIR SERVICE THREADS           as many threads, all in their conversations at once
 *   host moved CONFDIR SERVICE TRIES             begun on one thread, which waits, and finished on another
 *   host replaced CONFDIR SERVICE                another conversation put in place from within; on a thread at whose
 *                                                address another one left an attempt behind
 *   host burst CONFDIR SERVICE TRIES             failures in a row; prints the most threads seen
 *   host signals CONFDIR SERVICE                 the host's signals while its own thread blocks them: none on the worker
 *   host low CONFDIR SERVICE                     standard streams closed: nothing is written to 0, 1, 2
 *   host name CONFDIR SERVICE USER               one transaction for a user name of any bytes
 *   host time CONFDIR SERVICE TRIES NAME...      nanoseconds of pam_authenticate for each name in turn: "INDEX NS"
 *   host stack CONFDIR SERVICE                   bytes of stack that pam_authenticate used
 *   host long CONFDIR SERVICE THREADS TRIES      as threads, and prints memory and descriptors over time
 *
 * Called as askpass it answers ssh's prompts with a wrong password, and notes when in $AUTHALERT_STAMPS.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *confdir, *service;
static atomic_int asked;

static int answer(int n, const struct pam_message **m, struct pam_response **r, void *data)
{
	(void)m; (void)data;
	atomic_fetch_add(&asked, 1);
	*r = calloc((size_t)n, sizeof **r);
	for (int i = 0; i < n; i++)
		(*r)[i].resp = strdup("wrong");
	return PAM_SUCCESS;
}

static pam_handle_t *begin(const char *user, const struct pam_conv *conv)
{
	static const struct pam_conv usual = { answer, NULL };
	pam_handle_t *pamh = NULL;
	if (pam_start_confdir(service, user, conv ? conv : &usual, confdir, &pamh) != PAM_SUCCESS) {
		printf("pam_start failed\n");
		exit(2);
	}
	pam_set_item(pamh, PAM_RHOST, "192.0.2.7");
	return pamh;
}

static int once(const char *user)
{
	pam_handle_t *pamh = begin(user, NULL);
	int code = pam_authenticate(pamh, 0);
	pam_end(pamh, code);
	return code;
}

/* -- threads ------------------------------------------------------------------------------- */

static int tries;
static atomic_int refused;

static void *many(void *data)
{
	char user[32];
	for (int i = 0; i < tries; i++) {
		snprintf(user, sizeof user, "t%ldn%d", (long)data, i);
		if (once(user) == PAM_AUTH_ERR)
			atomic_fetch_add(&refused, 1);
	}
	return NULL;
}

static void run_threads(int threads)
{
	pthread_t ids[64];
	for (long t = 0; t < threads; t++)
		pthread_create(&ids[t], NULL, many, (void *)t);
	for (int t = 0; t < threads; t++)
		pthread_join(ids[t], NULL);
}

/* -- fork ---------------------------------------------------------------------------------- */

static void nap(long microseconds)
{
	struct timespec t = { microseconds / 1000000, microseconds % 1000000 * 1000 };
	nanosleep(&t, NULL);
}

/* Each parent is new, so that its worker loads everything anew while the child is made. */
static int fork_while_busy(int i, int runs)
{
	(void)runs;
	pid_t parent = fork();
	if (parent == 0) {
		/* As sshd's monitor does: the handle stays open. */
		int code = pam_authenticate(begin("parent", NULL), 0);
		nap((long)i % 40 * 40);
		pid_t child = fork();
		if (child == 0) {
			alarm(8);
			_exit(once("child") == PAM_AUTH_ERR ? 0 : 1);
		}
		int status = 0;
		waitpid(child, &status, 0);
		_exit(code != PAM_AUTH_ERR ? 3 : WIFSIGNALED(status) ? 2 : WEXITSTATUS(status));
	}
	int status = 0;
	waitpid(parent, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}

/* -- cancel -------------------------------------------------------------------------------- */

static int waits(int n, const struct pam_message **m, struct pam_response **r, void *data)
{
	pause();
	return answer(n, m, r, data);
}

static pthread_t thread_of(void *(*function)(void *), void *data)
{
	pthread_t id;
	if (pthread_create(&id, NULL, function, data) != 0)
		exit(2);
	return id;
}

static void *authenticate(void *pamh)
{
	return (void *)(long)pam_authenticate(pamh, 0);
}

static int cancel_at(int i, int runs)
{
	static const struct pam_conv waiting = { waits, NULL };
	void *result = NULL;
	/* Every other one is caught in its conversation, the rest in the delay or before. */
	pam_handle_t *pamh = begin("cancelled", i % 2 ? &waiting : NULL);
	pthread_t id = thread_of(authenticate, pamh);
	nap(20000 + (long)i * 200000 / runs);
	pthread_cancel(id);
	pthread_join(id, &result);
	/* The handle is still good for another thread. */
	const struct pam_conv usual = { answer, NULL };
	pam_set_item(pamh, PAM_CONV, &usual);
	int code = pam_authenticate(pamh, 0);
	pam_end(pamh, code);
	/* Cancelled inside a module, libpam refuses the handle afterwards, with the module or without. */
	if (result == PTHREAD_CANCELED && (code == PAM_AUTH_ERR || (i % 2 && code == PAM_SYSTEM_ERR)))
		return 0;
	printf("run %d: cancelled %d, then code %d\n", i, result == PTHREAD_CANCELED, code);
	return 1;
}

/* The module opens the journal here: an executable's functions go before the C library's. The thread is
 * asked to end at that very moment, and ends where it lets itself be. */
static atomic_int ends_in_open;

int open(const char *path, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	int mode = va_arg(more, int);
	va_end(more);
	if (ends_in_open && strstr(path, "current.jsonl")) {
		atomic_fetch_add(&asked, 1);
		pthread_cancel(pthread_self());
		pthread_testcancel();
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static int pending(int runs)
{
	int bad = 0;
	ends_in_open = 1;
	for (int i = 0; i < runs; i++) {
		void *result;
		asked = 0;
		pam_handle_t *pamh = begin("pending", NULL);
		pthread_join(thread_of(authenticate, pamh), &result);
		bad += result != PTHREAD_CANCELED || asked != 2;
		pam_end(pamh, PAM_ABORT);
	}
	printf("%d of %d were not ended\n", bad, runs);
	return bad;
}

/* -- items --------------------------------------------------------------------------------- */

static int delays, delay_status;
static unsigned delay_asked;
static void *delay_data;

static void own_delay(int status, unsigned microseconds, void *data)
{
	delays++;
	delay_status = status;
	delay_asked = microseconds;
	delay_data = data;
}

static int items(void)
{
	int mine = 0;
	struct pam_conv conv = { answer, &mine };
	const void *now = NULL;
	pam_handle_t *pamh = begin("items", &conv);
	pam_set_item(pamh, PAM_FAIL_DELAY, (const void *)own_delay);
	for (int i = 1; i <= 3; i++) {
		int code = pam_authenticate(pamh, 0);
		if (code != PAM_AUTH_ERR || delays != i || delay_status != code || delay_data != &mine)
			return printf("try %d: code %d, %d calls, status %d\n", i, code, delays, delay_status), 1;
		pam_get_item(pamh, PAM_FAIL_DELAY, &now);
		if (now != (const void *)own_delay)
			return printf("the delay function was not given back\n"), 1;
		pam_get_item(pamh, PAM_CONV, &now);
		const struct pam_conv *held = now;
		if (held->conv != answer || held->appdata_ptr != &mine)
			return printf("the conversation was not given back\n"), 1;
	}
	/* Replaced between the attempts, and no setcred before the end. */
	int other = 0;
	struct pam_conv another = { answer, &other };
	pam_set_item(pamh, PAM_CONV, &another);
	pam_set_item(pamh, PAM_FAIL_DELAY, NULL);
	int code = pam_authenticate(pamh, 0);
	pam_end(pamh, code);
	return code == PAM_AUTH_ERR && delays == 3 && asked == 4 ? 0 : (printf("asked %d\n", asked), 1);
}

/* -- nested and again ------------------------------------------------------------------------ */

static int nests(int n, const struct pam_message **m, struct pam_response **r, void *data)
{
	int *depth = data;
	if (*depth > 0) {
		struct pam_conv conv = { nests, depth };
		--*depth;
		pam_handle_t *pamh = begin("inner", &conv);
		int code = pam_authenticate(pamh, 0);
		pam_end(pamh, code);
		if (code != PAM_AUTH_ERR)
			return PAM_CONV_ERR;
	}
	return answer(n, m, r, data);
}

static int nested(void)
{
	int depth = 5;
	struct pam_conv conv = { nests, &depth };
	pam_handle_t *pamh = begin("outer", &conv);
	int code = pam_authenticate(pamh, 0);
	pam_end(pamh, code);
	return code == PAM_AUTH_ERR && asked == 6 ? 0 : (printf("code %d asked %d\n", code, asked), 1);
}

static int later(int n, const struct pam_message **m, struct pam_response **r, void *data)
{
	int *left = data;
	if ((*left)-- > 0)
		return PAM_CONV_AGAIN;
	return answer(n, m, r, data);
}

static int again(void)
{
	for (int i = 0; i < 200; i++) {
		int left = i % 3;
		struct pam_conv conv = { later, &left };
		pam_handle_t *pamh = begin("again", &conv);
		void *code = NULL;
		int turns = 0;
		do {
			if (i % 2)
				pthread_join(thread_of(authenticate, pamh), &code);
			else
				code = (void *)(long)pam_authenticate(pamh, 0);
		} while ((long)code == PAM_INCOMPLETE && i % 5 && ++turns < 10);
		pam_end(pamh, (int)(long)code);
	}
	return once("after") == PAM_AUTH_ERR ? 0 : 1;
}

/* -- crowd, moved, replaced, burst --------------------------------------------------------------- */

static pthread_barrier_t all_there;

static int together(int n, const struct pam_message **m, struct pam_response **r, void *data)
{
	pthread_barrier_wait(&all_there);
	return answer(n, m, r, data);
}

static void *one_of_the_crowd(void *data)
{
	static const struct pam_conv conv = { together, NULL };
	char user[32];
	snprintf(user, sizeof user, "crowd%ld", (long)data);
	pam_handle_t *pamh = begin(user, &conv);
	if (pam_authenticate(pamh, 0) == PAM_AUTH_ERR)
		atomic_fetch_add(&refused, 1);
	pam_end(pamh, PAM_AUTH_ERR);
	return NULL;
}

static int crowd(int threads)
{
	pthread_t *ids = calloc((size_t)threads, sizeof *ids);
	pthread_attr_t small;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 256 << 10);
	pthread_barrier_init(&all_there, NULL, (unsigned)threads);
	for (long i = 0; i < threads; i++)
		if (pthread_create(&ids[i], &small, one_of_the_crowd, (void *)i) != 0)
			exit(2);
	for (int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	free(ids);
	return refused == threads ? 0 : 1;
}

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void *begins_and_waits(void *data)
{
	void **pair = data;
	*(int *)pair[1] = pam_authenticate(pair[0], 0);
	pthread_barrier_wait(&all_there);
	pthread_mutex_lock(&held);
	pthread_mutex_unlock(&held);
	return NULL;
}

static int moved(int runs)
{
	int bad = 0;
	for (int i = 0; i < runs; i++) {
		int left = 1, code = 0;
		struct pam_conv conv = { later, &left };
		void *pair[2] = { begin("moved", &conv), &code };
		pthread_barrier_init(&all_there, NULL, 2);
		pthread_mutex_lock(&held);
		pthread_t id = thread_of(begins_and_waits, pair);
		pthread_barrier_wait(&all_there);
		bad += code != PAM_INCOMPLETE;
		code = pam_authenticate(pair[0], 0);
		const void *now = NULL;
		pam_get_item(pair[0], PAM_CONV, &now);
		bad += code != PAM_AUTH_ERR || ((const struct pam_conv *)now)->conv != later;
		pam_end(pair[0], code);
		pthread_mutex_unlock(&held);
		pthread_join(id, NULL);
	}
	printf("%d went wrong\n", bad);
	return bad;
}

static pthread_t left_behind;
static int same_address;

static void *left_waiting(void *pamh)
{
	left_behind = pthread_self();
	return authenticate(pamh);
}

static int replaces(int n, const struct pam_message **m, struct pam_response **r, void *data)
{
	static const struct pam_conv usual = { answer, NULL };
	pam_set_item(*(pam_handle_t **)data, PAM_CONV, &usual);
	return answer(n, m, r, NULL);
}

static void *replacing(void *data)
{
	(void)data;
	pam_handle_t *pamh;
	struct pam_conv conv = { replaces, &pamh };
	same_address = pthread_equal(left_behind, pthread_self());
	pamh = begin("replaced", &conv);
	int code = pam_authenticate(pamh, 0);
	pam_end(pamh, code);
	return (void *)(long)code;
}

static int replaced(void)
{
	const struct pam_conv waiting = { waits, NULL };
	pam_handle_t *pamh = begin("left", &waiting);
	pthread_t id = thread_of(left_waiting, pamh);
	void *result;
	nap(200000);
	pthread_cancel(id);
	pthread_join(id, NULL);
	pthread_join(thread_of(replacing, NULL), &result);
	pam_end(pamh, PAM_ABORT);
	printf("code %ld, the same address: %d\n", (long)result, same_address);
	return (long)result == PAM_AUTH_ERR && same_address ? 0 : 1;
}

static int threads_now(void)
{
	int count = -2;
	DIR *d = opendir("/proc/self/task");
	while (d && readdir(d))
		count++;
	if (d)
		closedir(d);
	return count;
}

static atomic_int handled;

static void on_signal(int number)
{
	(void)number;
	atomic_fetch_add(&handled, 1);
}

static int signals(void)
{
	sigset_t all, before;
	struct sigaction action = { .sa_handler = on_signal };
	int workers = 0;
	for (int number = 1; number < 32; number++)
		sigaction(number, &action, NULL);
	for (int i = 0; i < 20; i++) {
		once("signals");
		sigfillset(&all);
		pthread_sigmask(SIG_BLOCK, &all, &before);
		workers += threads_now() > 1;
		kill(getpid(), SIGUSR1);
		kill(getpid(), SIGALRM);
		kill(getpid(), SIGCHLD);
		nap(2000);
		struct timespec now = { 0, 0 };
		while (sigtimedwait(&all, NULL, &now) > 0)
			;
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	printf("%d ran on a worker; one was there %d times of 20\n", handled, workers);
	return handled == 0 && workers > 0 ? 0 : 1;
}

/* Whatever is written to the places of the standard streams fails: what is recorded was written elsewhere. */
static int low(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwrite64, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_writev, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
	};
	struct sock_fprog filter = { sizeof rules / sizeof *rules, rules };
	int saved = dup2(1, 100), code;
	for (int file = 0; file < 3; file++)
		close(file);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
		return 2;
	code = once("low");
	dprintf(saved, "code %d\n", code);
	return code == PAM_AUTH_ERR ? 0 : 1;
}

static int burst(int runs)
{
	int most = 0;
	for (int i = 0; i < runs; i++) {
		once("burst");
		int now = threads_now();
		most = now > most ? now : most;
	}
	printf("%d\n", most);
	return 0;
}

/* -- stack --------------------------------------------------------------------------------- */

static void *measured(void *data)
{
	int *code = data;
	*code = once("stack");
	return NULL;
}

static long stack_used(void)
{
	size_t size = 1 << 20;
	unsigned char *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attributes;
	pthread_t id;
	int code = 0;
	memset(base, 0xa5, size);
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, base, size);
	pthread_create(&id, &attributes, measured, &code);
	pthread_join(id, NULL);
	size_t untouched = 0;
	while (untouched < size && base[untouched] == 0xa5)
		untouched++;
	return (long)(size - untouched);
}

/* -- long ---------------------------------------------------------------------------------- */

static void usage_now(const char *when)
{
	long size = 0, resident = 0;
	int descriptors = -3;
	FILE *f = fopen("/proc/self/statm", "r");
	if (f && fscanf(f, "%ld %ld", &size, &resident) == 2)
		fclose(f);
	DIR *d = opendir("/proc/self/fd");
	while (d && readdir(d))
		descriptors++;
	if (d)
		closedir(d);
	printf("%s: %ld KiB resident, %ld KiB mapped, %d descriptors\n", when, resident * 4, size * 4, descriptors);
	fflush(stdout);
}

static long long now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int askpass(void)
{
	const char *name = getenv("AUTHALERT_STAMPS");
	FILE *f = name ? fopen(name, "a") : NULL;
	if (f) {
		fprintf(f, "%lld\n", now_ns());
		fclose(f);
	}
	puts("a wrong one");
	return 0;
}

int main(int argc, char **argv)
{
	int bad = 0;
	if (strstr(argv[0], "askpass"))
		return askpass();
	if (argc < 4)
		return 2;
	confdir = argv[2];
	service = argv[3];
	int first = argc > 4 ? atoi(argv[4]) : 1, second = argc > 5 ? atoi(argv[5]) : 1;

	if (!strcmp(argv[1], "threads")) {
		tries = second;
		run_threads(first);
		printf("%d of %d\n", refused, first * second);
		return refused == first * second ? 0 : 1;
	}
	if (!strcmp(argv[1], "fork")) {
		for (int i = 0; i < first; i++) {
			int result = fork_while_busy(i, first);
			if (result == 2)
				bad++;
			else if (result != 0)
				printf("run %d: %d\n", i, result);
		}
		printf("%d of %d children hang\n", bad, first);
		return bad ? 1 : 0;
	}
	if (!strcmp(argv[1], "cancel")) {
		for (int i = 0; i < first; i++)
			bad += cancel_at(i, first);
		printf("%d of %d went wrong\n", bad, first);
		return bad ? 1 : 0;
	}
	if (!strcmp(argv[1], "pending"))
		return pending(first);
	if (!strcmp(argv[1], "reload")) {
		for (int i = 0; i < first; i++) {
			bad += once("reload") != PAM_AUTH_ERR;
			/* libpam has unloaded the stack; what the worker needs must still be there. */
			if (i % 4 == 0)
				nap(3000);
		}
		return bad ? 1 : 0;
	}
	if (!strcmp(argv[1], "name"))
		return argc > 4 ? once(argv[4]) : 2;
	if (!strcmp(argv[1], "items"))
		return items();
	if (!strcmp(argv[1], "nested"))
		return nested();
	if (!strcmp(argv[1], "again"))
		return again();
	if (!strcmp(argv[1], "signals"))
		return signals();
	if (!strcmp(argv[1], "low"))
		return low();
	if (!strcmp(argv[1], "crowd"))
		return crowd(first);
	if (!strcmp(argv[1], "moved"))
		return moved(first);
	if (!strcmp(argv[1], "replaced"))
		return replaced();
	if (!strcmp(argv[1], "burst"))
		return burst(first);
	if (!strcmp(argv[1], "time")) {
		for (int i = 0; i < first; i++)
			for (int name = 5; name < argc; name++) {
				pam_handle_t *pamh = begin(argv[name], NULL);
				long long from = now_ns();
				int code = pam_authenticate(pamh, 0);
				printf("%d %lld\n", name - 5, now_ns() - from);
				pam_end(pamh, code);
			}
		return 0;
	}
	if (!strcmp(argv[1], "stack")) {
		stack_used();
		printf("%ld\n", stack_used());
		return 0;
	}
	if (!strcmp(argv[1], "long")) {
		tries = second / 10;
		usage_now("start");
		for (int round = 1; round <= 10; round++) {
			char when[32];
			run_threads(first);
			snprintf(when, sizeof when, "%d", round * tries * first);
			usage_now(when);
		}
		printf("%d refused\n", refused);
		return refused == tries * 10 * first ? 0 : 1;
	}
	return 2;
}
