/* Conversations that do what is not expected of them, and what the application put in place, given back. */
#include "host.h"

static int waits(int n, const struct pam_message **m, struct pam_response **r, void *data)
{
	pause();
	return converse(n, m, r, data);
}

static void no_delay(int status, unsigned microseconds, void *data)
{
	(void)status, (void)microseconds, (void)data;
}

/* What went wrong; counts those that were caught in the delay. */
static int cancel_at(int i, int runs, int *in_delay)
{
	static const struct pam_conv waiting = { waits, NULL }, usual = { converse, NULL };
	/* Every other one is caught in its conversation, the rest in the delay, which is longer than any nap here, or before. */
	pam_handle_t *pamh = begin("cancelled", i % 2 ? &waiting : NULL);
	pthread_t id = thread_of(authenticate, pamh);
	void *result = NULL;
	int code;

	nap(20000 + (long)i * 200000 / runs);
	pthread_cancel(id);
	pthread_join(id, &result);
	/* The handle is still good for another thread. */
	pam_set_item(pamh, PAM_CONV, &usual);
	pam_set_item(pamh, PAM_FAIL_DELAY, (void *)no_delay);
	code = pam_authenticate(pamh, 0);
	pam_end(pamh, code);
	*in_delay += i % 2 == 0 && code == PAM_AUTH_ERR;
	/* Cancelled inside a module, libpam refuses the handle afterwards, with the module or without. */
	if (result == PTHREAD_CANCELED && (code == PAM_AUTH_ERR || code == PAM_SYSTEM_ERR))
		return 0;
	printf("run %d: cancelled %d, then code %d\n", i, result == PTHREAD_CANCELED, code);
	return 1;
}

int cancel(const char *value)
{
	int runs = atoi(value), bad = 0, in_delay = 0;

	for (int i = 0; i < runs; i++)
		bad += cancel_at(i, runs, &in_delay);
	printf("%d of %d went wrong, %d caught in the delay\n", bad, runs, in_delay);
	return bad + (in_delay == 0);
}

static int delays, delay_status;
static void *delay_data;

static void own_delay(int status, unsigned microseconds, void *data)
{
	(void)microseconds;
	delays++;
	delay_status = status;
	delay_data = data;
}

int given_back(const char *value)
{
	int mine = 0, other = 0, code;
	struct pam_conv conv = { converse, &mine }, another = { converse, &other };
	const void *now = NULL;
	pam_handle_t *pamh = begin("items", &conv);

	(void)value;
	pam_set_item(pamh, PAM_FAIL_DELAY, (const void *)own_delay);
	for (int i = 1; i <= 3; i++) {
		const struct pam_conv *held;

		code = pam_authenticate(pamh, 0);
		if (code != PAM_AUTH_ERR || delays != i || delay_status != code || delay_data != &mine)
			return printf("try %d: code %d, %d calls, status %d\n", i, code, delays, delay_status), 1;
		pam_get_item(pamh, PAM_FAIL_DELAY, &now);
		if (now != (const void *)own_delay)
			return printf("the delay function was not given back\n"), 1;
		pam_get_item(pamh, PAM_CONV, &now);
		held = now;
		if (held->conv != converse || held->appdata_ptr != &mine)
			return printf("the conversation was not given back\n"), 1;
	}
	/* Replaced between the attempts, and no setcred before the end. */
	pam_set_item(pamh, PAM_CONV, &another);
	pam_set_item(pamh, PAM_FAIL_DELAY, NULL);
	code = pam_authenticate(pamh, 0);
	pam_end(pamh, code);
	printf("code %d, %d delays, asked %d\n", code, delays, asked);
	return code != PAM_AUTH_ERR || delays != 3 || asked != 4;
}

static int nests(int n, const struct pam_message **m, struct pam_response **r, void *data)
{
	int *depth = data;

	if (*depth > 0) {
		struct pam_conv conv = { nests, depth };
		pam_handle_t *pamh;
		int code;

		--*depth;
		pamh = begin("inner", &conv);
		code = pam_authenticate(pamh, 0);
		pam_end(pamh, code);
		if (code != PAM_AUTH_ERR)
			return PAM_CONV_ERR;
	}
	return converse(n, m, r, data);
}

int nested(const char *value)
{
	int depth = 5, code;
	struct pam_conv conv = { nests, &depth };
	pam_handle_t *pamh = begin("outer", &conv);

	(void)value;
	code = pam_authenticate(pamh, 0);
	pam_end(pamh, code);
	printf("code %d asked %d\n", code, asked);
	return code != PAM_AUTH_ERR || asked != 6;
}

int later(int n, const struct pam_message **m, struct pam_response **r, void *data)
{
	int *left = data;

	if ((*left)-- > 0)
		return PAM_CONV_AGAIN;
	return converse(n, m, r, data);
}

int again(const char *value)
{
	(void)value;
	for (int i = 0; i < 200; i++) {
		int left = i % 3, turns = 0;
		struct pam_conv conv = { later, &left };
		pam_handle_t *pamh = begin("again", &conv);
		void *code = NULL;

		do {
			if (i % 2)
				pthread_join(thread_of(authenticate, pamh), &code);
			else
				code = authenticate(pamh);
		} while ((long)code == PAM_INCOMPLETE && i % 5 && ++turns < 10);
		pam_end(pamh, (int)(long)code);
	}
	return once("after") != PAM_AUTH_ERR;
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
	static const struct pam_conv usual = { converse, NULL };

	pam_set_item(*(pam_handle_t **)data, PAM_CONV, &usual);
	return converse(n, m, r, NULL);
}

static void *replacing(void *data)
{
	pam_handle_t *pamh;
	struct pam_conv conv = { replaces, &pamh };
	int code;

	(void)data;
	same_address = pthread_equal(left_behind, pthread_self());
	pamh = begin("replaced", &conv);
	code = pam_authenticate(pamh, 0);
	pam_end(pamh, code);
	return (void *)(long)code;
}

int replaced(const char *value)
{
	const struct pam_conv waiting = { waits, NULL };
	pam_handle_t *pamh = begin("left", &waiting);
	pthread_t id = thread_of(left_waiting, pamh);
	void *result;

	(void)value;
	nap(200000);
	pthread_cancel(id);
	pthread_join(id, NULL);
	pthread_join(thread_of(replacing, NULL), &result);
	pam_end(pamh, PAM_ABORT);
	printf("code %ld, the same address: %d\n", (long)result, same_address);
	return (long)result != PAM_AUTH_ERR || !same_address;
}
