/* What the files of the host share; what each word does stands in host.c. */
#ifndef HOST_H
#define HOST_H
#define _GNU_SOURCE
#include <pthread.h>
#include <security/pam_appl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From the command line; confdir NULL: the machine's own stacks; user NULL: none yet. */
extern const char *confdir, *service, *user;

/* conversation.c */
typedef int conversation(int, const struct pam_message **, struct pam_response **, void *);
extern conversation converse;
extern const struct pam_conv convs[3]; /* none, converse, and one that differs from it by its number alone */
extern const char *answer, *name;      /* to hidden prompts, and to shown ones */
extern int quiet;                      /* conversations print nothing */
extern atomic_int asked;               /* how often conversations were called */
int which(const void *appdata);        /* whose of `convs` it is */

/* transactions.c */
/* A handle for `service` from 192.0.2.7, with converse where `conv` is NULL. Ends the host where there is none. */
pam_handle_t *begin(const char *who, const struct pam_conv *conv);
int once(const char *who); /* a whole transaction; what pam_authenticate gave */

/* callbacks.c */
extern conversation later; /* its appdata counts how often it wants to be asked again */

/* process.c */
long long nanoseconds(clockid_t clock);
void nap(long microseconds);
int tasks_now(void);
pthread_t thread_of(void *(*function)(void *), void *data);
void *authenticate(void *pamh); /* for a thread; its result is the code */

/* Calls of libpam for the handle that the steps work on, each gives its code; and one of them, with its code and how long it took. */
typedef int call(void);
extern call call_start, call_end, call_auth, call_setcred, call_acct, call_open, call_close, call_chauthtok, call_fork_auth,
    call_thread_auth;
void report(const char *what, call *call);

/* Each does one thing, and prints what it saw. */
typedef void step(const char *value);
extern step set_answer, set_name, set_service, set_item, set_env, set_conv, set_delay_function, show_items, fork_tasks; /* steps.c */
extern step tasks, mapped, null_calls, await, sleep_for, alarm_after, filter; /* process.c */

/* Each makes transactions of its own; not 0: something was not as it should be. */
typedef int scene(const char *value);
extern scene measured, let_in, time_names, stack; /* transactions.c */
extern scene threads, burst, long_lived, crowd, moved, pending; /* threads.c */
extern scene given_back, nested, again, replaced, cancel; /* callbacks.c */
extern scene forks, reload, signals, low; /* process.c */

#endif
