/* The application's conversations: they answer as they were told to, and print what they were asked. */
#include "host.h"

const char *answer = "wrong", *name = "alice";
int quiet;
atomic_int asked;
static char mark[3]; /* &mark[N] is the appdata of conversation N */

int which(const void *appdata)
{
	for (int i = 1; i < 3; i++)
		if (appdata == &mark[i])
			return i;
	return appdata == NULL ? 0 : -1;
}

/* A transaction inside the conversation of another. */
static void inner(void)
{
	pam_handle_t *h;
	int code = pam_start_confdir("inner", "alice", &convs[1], confdir, &h);

	if (code == PAM_SUCCESS) {
		code = pam_authenticate(h, 0);
		pam_end(h, code);
	}
	printf("{\"nested\": %d}\n", code);
}

static void show(int number, int count, const struct pam_message **messages, const void *appdata)
{
	for (int i = 0; i < count; i++)
		printf("{\"conv\": %d, \"appdata\": %d, \"style\": %d, \"text\": \"%s\"}\n", number, which(appdata),
		       messages[i]->msg_style, messages[i]->msg);
}

static int answer_all(int number, int count, const struct pam_message **messages, struct pam_response **responses,
		      const void *appdata)
{
	int hidden = 0;

	atomic_fetch_add(&asked, 1);
	if (!quiet)
		show(number, count, messages, appdata);
	for (int i = 0; i < count; i++)
		hidden |= messages[i]->msg_style == PAM_PROMPT_ECHO_OFF;
	if (hidden && strcmp(answer, "@err") == 0)
		return PAM_CONV_ERR;
	if (hidden && strcmp(answer, "@again") == 0)
		return PAM_CONV_AGAIN;
	if (hidden && strcmp(answer, "@none") == 0) {
		*responses = NULL;
		return PAM_SUCCESS;
	}
	if (hidden && strcmp(answer, "@nested") == 0) {
		answer = "wrong";
		inner();
	}
	*responses = calloc((size_t)count, sizeof **responses);
	for (int i = 0; i < count; i++) {
		if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF && strcmp(answer, "@null") != 0)
			(*responses)[i].resp = strdup(strcmp(answer, "@once") == 0 ? "wrong" : answer);
		if (messages[i]->msg_style == PAM_PROMPT_ECHO_ON)
			(*responses)[i].resp = strdup(name);
	}
	if (hidden && strcmp(answer, "@once") == 0)
		answer = "@err";
	return PAM_SUCCESS;
}

int converse(int n, const struct pam_message **m, struct pam_response **r, void *d) { return answer_all(1, n, m, r, d); }
static int another(int n, const struct pam_message **m, struct pam_response **r, void *d) { return answer_all(2, n, m, r, d); }
const struct pam_conv convs[3] = { { 0 }, { converse, &mark[1] }, { another, &mark[2] } };
