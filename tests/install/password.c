/* password SERVICE USER PASSWORD: one authentication through libpam; status 0 when it is let in. */
#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>

static int answer(int n, const struct pam_message **message, struct pam_response **response, void *password)
{
    struct pam_response *all = calloc(n, sizeof *all);
    for (int i = 0; all && i < n; i++)
        if (message[i]->msg_style == PAM_PROMPT_ECHO_OFF)
            all[i].resp = strdup(password);
    *response = all;
    return all ? PAM_SUCCESS : PAM_BUF_ERR;
}

int main(int argc, char **argv)
{
    struct pam_conv conversation = { answer, argc == 4 ? argv[3] : NULL };
    pam_handle_t *handle;
    int status;

    if (argc != 4 || pam_start(argv[1], argv[2], &conversation, &handle) != PAM_SUCCESS)
        return 2;
    status = pam_authenticate(handle, 0);
    if (status == PAM_SUCCESS)
        status = pam_acct_mgmt(handle, 0);
    pam_end(handle, status);
    return status == PAM_SUCCESS ? 0 : 1;
}
