/* One pam_authenticate in a fresh process: prints the nanoseconds from pam_start to pam_end, and
 * the result.  pam_once CONFDIR SERVICE USER */
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

int main(int argc, char **argv)
{
	struct pam_conv c = { conv, NULL };
	struct timespec a, b;
	pam_handle_t *h;
	int result;

	if (argc != 4)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &a);
	if (pam_start_confdir(argv[2], argv[3], &c, argv[1], &h) != PAM_SUCCESS)
		return 1;
	pam_set_item(h, PAM_RHOST, "192.0.2.7");
	result = pam_authenticate(h, 0);
	pam_end(h, result);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%lld %d\n", (long long)(b.tv_sec - a.tv_sec) * 1000000000LL + (b.tv_nsec - a.tv_nsec), result);
	return 0;
}
