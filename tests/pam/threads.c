/* Hosts of many threads, and a thread that is asked to end. */
#include "host.h"
#include <dirent.h>
#include <dlfcn.h>

static int tries;
static atomic_int refused;

static void *many(void *data)
{
	char who[32];

	for (int i = 0; i < tries; i++) {
		snprintf(who, sizeof who, "t%ldn%d", (long)data, i);
		if (once(who) == PAM_AUTH_ERR)
			atomic_fetch_add(&refused, 1);
	}
	return NULL;
}

static void run_threads(int count)
{
	pthread_t ids[64];

	if (count > 64)
		exit(2);
	for (long i = 0; i < count; i++)
		ids[i] = thread_of(many, (void *)i);
	for (int i = 0; i < count; i++)
		pthread_join(ids[i], NULL);
}

static int second(const char *value)
{
	const char *comma = strchr(value, ',');

	return comma ? atoi(comma + 1) : 1;
}

int threads(const char *value)
{
	int count = atoi(value);

	tries = second(value);
	run_threads(count);
	printf("{\"failures\": %d}\n", refused);
	return refused != count * tries;
}

int burst(const char *value)
{
	int most = 0;

	for (int i = 0; i < atoi(value); i++) {
		int count;

		once("burst");
		count = tasks_now();
		most = count > most ? count : most;
	}
	printf("%d\n", most);
	return 0;
}

static void usage_now(const char *when)
{
	long size = 0, resident = 0;
	int descriptors = -3;
	FILE *f = fopen("/proc/self/statm", "r");
	DIR *d;

	if (f && fscanf(f, "%ld %ld", &size, &resident) == 2)
		fclose(f);
	d = opendir("/proc/self/fd");
	while (d && readdir(d))
		descriptors++;
	if (d)
		closedir(d);
	printf("%s: %ld KiB resident, %ld KiB mapped, %d descriptors\n", when, resident * 4, size * 4, descriptors);
	fflush(stdout);
}

int long_lived(const char *value)
{
	int count = atoi(value);

	tries = second(value) / 10;
	usage_now("start");
	for (int round = 1; round <= 10; round++) {
		char when[32];

		run_threads(count);
		snprintf(when, sizeof when, "%d", round * tries * count);
		usage_now(when);
	}
	printf("%d refused\n", refused);
	return refused != tries * 10 * count;
}

static pthread_barrier_t all_there;

static int together(int n, const struct pam_message **m, struct pam_response **r, void *data)
{
	pthread_barrier_wait(&all_there);
	return converse(n, m, r, data);
}

static void *one_of_the_crowd(void *data)
{
	static const struct pam_conv conv = { together, NULL };
	char who[32];
	pam_handle_t *pamh;

	snprintf(who, sizeof who, "crowd%ld", (long)data);
	pamh = begin(who, &conv);
	if (pam_authenticate(pamh, 0) == PAM_AUTH_ERR)
		atomic_fetch_add(&refused, 1);
	pam_end(pamh, PAM_AUTH_ERR);
	return NULL;
}

int crowd(const char *value)
{
	int count = atoi(value);
	pthread_t *ids = calloc((size_t)count, sizeof *ids);
	pthread_attr_t small;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 256 << 10);
	pthread_barrier_init(&all_there, NULL, (unsigned)count);
	for (long i = 0; i < count; i++)
		if (pthread_create(&ids[i], &small, one_of_the_crowd, (void *)i) != 0)
			exit(2);
	for (int i = 0; i < count; i++)
		pthread_join(ids[i], NULL);
	free(ids);
	return refused != count;
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

int moved(const char *value)
{
	int bad = 0;

	for (int i = 0; i < atoi(value); i++) {
		int left = 1, code = 0;
		struct pam_conv conv = { later, &left };
		void *pair[2] = { begin("moved", &conv), &code };
		const void *now = NULL;
		pthread_t id;

		pthread_barrier_init(&all_there, NULL, 2);
		pthread_mutex_lock(&held);
		id = thread_of(begins_and_waits, pair);
		pthread_barrier_wait(&all_there);
		bad += code != PAM_INCOMPLETE;
		code = pam_authenticate(pair[0], 0);
		pam_get_item(pair[0], PAM_CONV, &now);
		bad += code != PAM_AUTH_ERR || ((const struct pam_conv *)now)->conv != later;
		pam_end(pair[0], code);
		pthread_mutex_unlock(&held);
		pthread_join(id, NULL);
	}
	printf("%d went wrong\n", bad);
	return bad;
}

int pending(const char *value)
{
	int *opened = dlsym(RTLD_DEFAULT, "ended_in_open"), bad = 0;

	if (!opened) {
		printf("it needs ends_in_open.so in LD_PRELOAD\n");
		return 1;
	}
	for (int i = 0; i < atoi(value); i++) {
		pam_handle_t *pamh = begin("pending", NULL);
		void *result;

		asked = *opened = 0;
		pthread_join(thread_of(authenticate, pamh), &result);
		bad += result != PTHREAD_CANCELED || asked != 1 || *opened != 1;
		pam_end(pamh, PAM_ABORT);
	}
	printf("%d of %s were not ended\n", bad, value);
	return bad;
}
