/* To be preloaded: the thread that opens the journal is asked to end at that very moment, and ends where it lets itself be. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int ended_in_open; /* how often; the host counts them */

int open(const char *path, int flags, ...)
{
	va_list more;
	int mode;

	va_start(more, flags);
	mode = va_arg(more, int);
	va_end(more);
	if (strstr(path, "current.jsonl")) {
		__atomic_fetch_add(&ended_in_open, 1, __ATOMIC_RELAXED);
		pthread_cancel(pthread_self());
		pthread_testcancel();
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
