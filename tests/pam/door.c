/* A module that stands in for the others of a stack: it asks, delays, and returns what it is told.
 *
 *   prompt           ask for a password; "right" is right
 *   shown            ask for a code, which shows as it is typed
 *   strict           and a prompt without an answer is CONV_ERR
 *   user             ask for the user's name, if there is none
 *   delay=MICROSECONDS
 *   return=N, setcred=N, acct=N, open=N, close=N, chauthtok=N
 *
 * Like pam_unix under Debian's stacks, a prompt without an answer is AUTH_ERR. A conversation that
 * wants to be asked again (PAM_CONV_AGAIN) makes it PAM_INCOMPLETE.
 */
#include <security/pam_modules.h>
#include <security/pam_ext.h>
#include <stdlib.h>
#include <string.h>

static int number(int argc, const char **argv, const char *key, int otherwise)
{
	size_t length = strlen(key);

	for (int i = 0; i < argc; i++)
		if (strncmp(argv[i], key, length) == 0 && argv[i][length] == '=')
			return atoi(argv[i] + length + 1);
	return otherwise;
}

static int has(int argc, const char **argv, const char *word)
{
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], word) == 0)
			return 1;
	return 0;
}

static int ask(pam_handle_t *pamh, int style, int unanswered)
{
	const struct pam_conv *conv = NULL;
	struct pam_message message = { style, style == PAM_PROMPT_ECHO_ON ? "Code: " : "Password: " };
	const struct pam_message *messages = &message;
	struct pam_response *response = NULL;
	int code, right;

	if (pam_get_item(pamh, PAM_CONV, (const void **)&conv) != PAM_SUCCESS || conv == NULL)
		return PAM_CONV_ERR;
	code = conv->conv(1, &messages, &response, conv->appdata_ptr);
	if (code == PAM_CONV_AGAIN)
		return PAM_INCOMPLETE;
	if (code != PAM_SUCCESS || response == NULL || response->resp == NULL) {
		free(response);
		return unanswered;
	}
	right = strcmp(response->resp, "right") == 0;
	free(response->resp);
	free(response);
	return right ? PAM_SUCCESS : PAM_AUTH_ERR;
}

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	const char *user;
	int delay = number(argc, argv, "delay", 0);

	(void)flags;
	if (delay)
		pam_fail_delay(pamh, (unsigned)delay);
	if (has(argc, argv, "user") && pam_get_user(pamh, &user, "login: ") != PAM_SUCCESS)
		return PAM_AUTH_ERR;
	if (has(argc, argv, "prompt"))
		return ask(pamh, PAM_PROMPT_ECHO_OFF, has(argc, argv, "strict") ? PAM_CONV_ERR : PAM_AUTH_ERR);
	if (has(argc, argv, "shown"))
		return ask(pamh, PAM_PROMPT_ECHO_ON, PAM_AUTH_ERR);
	return number(argc, argv, "return", PAM_SUCCESS);
}

#define SIMPLE(function, key)                                                            \
	int function(pam_handle_t *pamh, int flags, int argc, const char **argv)         \
	{                                                                                \
		(void)pamh;                                                              \
		(void)flags;                                                             \
		return number(argc, argv, key, PAM_SUCCESS);                             \
	}

SIMPLE(pam_sm_setcred, "setcred")
SIMPLE(pam_sm_acct_mgmt, "acct")
SIMPLE(pam_sm_open_session, "open")
SIMPLE(pam_sm_close_session, "close")
SIMPLE(pam_sm_chauthtok, "chauthtok")
