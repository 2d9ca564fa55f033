/* An application of libpam that does what its arguments say, one word after another: the one that all tests drive libpam with.
 *
 *   host CONFDIR SERVICE USER WORD...      (CONFDIR "-": the machine's own stacks; USER "-": none yet)
 *
 * Steps, on one handle; each prints what it saw, a JSON object a line:
 *
 *   start end auth setcred acct open close chauthtok
 *   answer=TEXT | answer=@err @null @none @again @nested @once     to hidden prompts, from now on
 *   name=TEXT                    to shown ones
 *   item=NUMBER:HEX              pam_set_item
 *   env=NAME=VALUE               pam_putenv
 *   conv=N, delayfn=N            the application's own, N 1 or 2; 0: none
 *   items                        what is in PAM_CONV and PAM_FAIL_DELAY
 *   fork-auth, thread-auth       in a child that _exits, on another thread
 *   fork-tasks                   a child that fails five times: the most threads it had
 *   await=FILE                   until it is there and not empty, 20 s at most
 *   filter=connect               from now on the process is ended if it ever connects
 *   service=NAME sleep=MS alarm=MS tasks mapped null=MODULE
 *
 * Transactions of their own, which come from 192.0.2.7 (login: from nowhere) and answer as answer= said, else "wrong":
 *
 *   once                         one; prints its code and the nanoseconds from pam_start to pam_end, by the clock and those that
 *                                the processor worked for it on this thread
 *   login                        one, and the account; the exit status is 1 where the user is not let in
 *   time=TRIES,NAME...           pam_authenticate for each name in turn: "INDEX NANOSECONDS"
 *   stack                        bytes of stack that pam_authenticate used
 *   threads=T,N                  N each on T threads at once; prints how many failed as they should
 *   burst=N                      failures in a row; prints the most threads seen
 *   long=T,N                     as threads, N each, and prints memory and descriptors over time
 *
 * Hosts that a module meets and its author did not think of; the exit status is 1 where something was not as it should be:
 *
 *   forks=N                      a failure, and a fork while the worker is busy; the child authenticates
 *   cancel=N                     the thread is cancelled in its conversation or in the delay
 *   pending=N                    asked to end while the failure is recorded (by ends_in_open.so): that comes first
 *   reload=N                     pam_end unloads the stack between transactions
 *   given-back                   the application's own conversation and delay function
 *   nested                       a transaction inside the conversation of another
 *   again                        a conversation that answers later, on another thread
 *   crowd=T                      as many threads, all in their conversations at once
 *   moved=N                      begun on one thread, which waits, and finished on another
 *   replaced                     another conversation put in place from within; on a thread at whose address another one left
 *                                an attempt behind
 *   signals                      the host's signals while its own thread blocks them: none on the worker
 *   low                          standard streams closed: nothing is written to 0, 1, 2
 */
#include "host.h"

const char *confdir, *service, *user;

/* One of the three; a name that ends in "=" takes a value. */
static const struct word {
	const char *name;
	call *call;
	step *step;
	scene *scene;
} words[] = {
	{ "start", .call = call_start },
	{ "end", .call = call_end },
	{ "auth", .call = call_auth },
	{ "setcred", .call = call_setcred },
	{ "acct", .call = call_acct },
	{ "open", .call = call_open },
	{ "close", .call = call_close },
	{ "chauthtok", .call = call_chauthtok },
	{ "fork-auth", .call = call_fork_auth },
	{ "thread-auth", .call = call_thread_auth },
	{ "answer=", .step = set_answer },
	{ "name=", .step = set_name },
	{ "service=", .step = set_service },
	{ "item=", .step = set_item },
	{ "env=", .step = set_env },
	{ "conv=", .step = set_conv },
	{ "delayfn=", .step = set_delay_function },
	{ "items", .step = show_items },
	{ "fork-tasks", .step = fork_tasks },
	{ "tasks", .step = tasks },
	{ "mapped", .step = mapped },
	{ "null=", .step = null_calls },
	{ "await=", .step = await },
	{ "sleep=", .step = sleep_for },
	{ "alarm=", .step = alarm_after },
	{ "filter=", .step = filter },
	{ "once", .scene = measured },
	{ "login", .scene = let_in },
	{ "time=", .scene = time_names },
	{ "stack", .scene = stack },
	{ "threads=", .scene = threads },
	{ "burst=", .scene = burst },
	{ "long=", .scene = long_lived },
	{ "forks=", .scene = forks },
	{ "cancel=", .scene = cancel },
	{ "pending=", .scene = pending },
	{ "reload=", .scene = reload },
	{ "given-back", .scene = given_back },
	{ "nested", .scene = nested },
	{ "again", .scene = again },
	{ "crowd=", .scene = crowd },
	{ "moved=", .scene = moved },
	{ "replaced", .scene = replaced },
	{ "signals", .scene = signals },
	{ "low", .scene = low },
};

static const struct word *find(const char *argument, const char **value)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		size_t length = strlen(words[i].name);

		*value = argument + length;
		if (words[i].name[length - 1] == '=' ? strncmp(argument, words[i].name, length) == 0 :
						       strcmp(argument, words[i].name) == 0)
			return &words[i];
	}
	fprintf(stderr, "host: what is '%s'?\n", argument);
	exit(2);
}

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc < 5)
		return 2;
	confdir = strcmp(argv[1], "-") == 0 ? NULL : argv[1];
	service = argv[2];
	user = strcmp(argv[3], "-") == 0 ? NULL : argv[3];
	for (int i = 4; i < argc; i++) {
		const char *value;
		const struct word *word = find(argv[i], &value);

		quiet = word->scene != NULL;
		if (word->call)
			report(word->name, word->call);
		else if (word->step)
			word->step(value);
		else
			failed |= word->scene(value) != 0;
		fflush(stdout);
	}
	return failed;
}
