/* Answers ssh's prompts with a wrong password, and notes when in $AUTHALERT_STAMPS: a script would take longer than what is
 * measured. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(void)
{
	const char *name = getenv("AUTHALERT_STAMPS");
	FILE *f = name ? fopen(name, "a") : NULL;
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	if (f) {
		fprintf(f, "%lld\n", t.tv_sec * 1000000000LL + t.tv_nsec);
		fclose(f);
	}
	puts("a wrong one");
	return 0;
}
