/* Whole transactions, and what one costs. */
#include "host.h"
#include <sys/mman.h>

static pam_handle_t *local(const char *who, const struct pam_conv *conv)
{
	static const struct pam_conv usual = { converse, NULL };
	pam_handle_t *pamh = NULL;

	if (pam_start_confdir(service, who, conv ? conv : &usual, confdir, &pamh) != PAM_SUCCESS) {
		printf("pam_start failed\n");
		exit(2);
	}
	return pamh;
}

pam_handle_t *begin(const char *who, const struct pam_conv *conv)
{
	pam_handle_t *pamh = local(who, conv);

	pam_set_item(pamh, PAM_RHOST, "192.0.2.7");
	return pamh;
}

int once(const char *who)
{
	pam_handle_t *pamh = begin(who, NULL);
	int code = pam_authenticate(pamh, 0);

	pam_end(pamh, code);
	return code;
}

int measured(const char *value)
{
	long long took = nanoseconds(CLOCK_MONOTONIC), worked = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
	int code = once(user);

	(void)value;
	worked = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - worked;
	took = nanoseconds(CLOCK_MONOTONIC) - took;
	printf("{\"once\": %d, \"clock\": %lld, \"processor\": %lld}\n", code, took, worked);
	return 0;
}

int let_in(const char *value)
{
	pam_handle_t *pamh = local(user, NULL);
	int code = pam_authenticate(pamh, 0);

	(void)value;
	if (code == PAM_SUCCESS)
		code = pam_acct_mgmt(pamh, 0);
	pam_end(pamh, code);
	return code != PAM_SUCCESS;
}

int time_names(const char *value)
{
	char *names = strdup(value), *next = names, *list[16];
	int tries = atoi(strsep(&next, ",")), count = 0;

	while (next && count < 16)
		list[count++] = strsep(&next, ",");
	for (int i = 0; i < tries * count; i++) {
		pam_handle_t *pamh = begin(list[i % count], NULL);
		long long from = nanoseconds(CLOCK_MONOTONIC);
		int code = pam_authenticate(pamh, 0);

		printf("%d %lld\n", i % count, nanoseconds(CLOCK_MONOTONIC) - from);
		pam_end(pamh, code);
	}
	free(names);
	return 0;
}

static void *one(void *data)
{
	(void)data;
	once("stack");
	return NULL;
}

static long stack_used(void)
{
	size_t size = 1 << 20, untouched = 0;
	unsigned char *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attributes;
	pthread_t id;

	memset(base, 0xa5, size);
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, base, size);
	pthread_create(&id, &attributes, one, NULL);
	pthread_join(id, NULL);
	while (untouched < size && base[untouched] == 0xa5)
		untouched++;
	return (long)(size - untouched);
}

int stack(const char *value)
{
	(void)value;
	stack_used(); /* what is made at the first use is in this one */
	printf("%ld\n", stack_used());
	return 0;
}
