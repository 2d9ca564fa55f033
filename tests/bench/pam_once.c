/* One pam_authenticate in a fresh process: prints the nanoseconds from pam_start to pam_end by the clock, those that
 * the processor worked for it on this thread, and the result.  pam_once CONFDIR SERVICE USER */
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int conv(int n, const struct pam_message **m, struct pam_response **r, void *d)
{
	(void)m; (void)d;
	*r = calloc((size_t)n, sizeof **r);
	for (int i = 0; i < n; i++)
		(*r)[i].resp = strdup("wrong");
	return PAM_SUCCESS;
}

static long long nanoseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char **argv)
{
	struct pam_conv c = { conv, NULL };
	long long took, worked;
	pam_handle_t *h;
	int result;

	if (argc != 4)
		return 2;
	took = nanoseconds(CLOCK_MONOTONIC);
	worked = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
	if (pam_start_confdir(argv[2], argv[3], &c, argv[1], &h) != PAM_SUCCESS)
		return 1;
	pam_set_item(h, PAM_RHOST, "192.0.2.7");
	result = pam_authenticate(h, 0);
	pam_end(h, result);
	worked = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - worked;
	took = nanoseconds(CLOCK_MONOTONIC) - took;
	printf("%lld %lld %d\n", took, worked, result);
	return 0;
}
