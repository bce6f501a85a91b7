// SPDX-License-Identifier: GPL-2.0
/*
 * Push memory: fill anonymous memory and a tmpfs file with page contents that
 * can be verified, so much of it that it has to be swapped out, and read all of
 * it back.
 *
 * usage: push [-r ROUNDS] [-p PATTERN] [-w] MB [TMPFS_MB FILE]
 *
 * PATTERN is zero, word, quarter, random, mixed (default) or any. With -w, wait
 * for SIGUSR1 between filling and reading. Exit status 0 if every byte was right.
 */
#include <time.h>
#include "vswap_util.h"

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static char *map_file(const char *name, size_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *p;

	if (fd < 0 || ftruncate(fd, size)) {
		perror(name);
		exit(2);
	}
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	close(fd);
	return p;
}

static int verify(const char *what, const char *p, size_t nr,
		  enum pattern pattern, unsigned long seed)
{
	size_t bad = check_region(p, nr, pattern, seed);

	if (bad == nr)
		return 0;
	fprintf(stderr, "%s: page %zu of %zu has the wrong content\n", what, bad, nr);
	return 1;
}

int main(int argc, char **argv)
{
	static const char * const names[] = {
		"zero", "word", "quarter", "random", "mixed", "any",
	};
	enum pattern pattern = PATTERN_MIXED;
	size_t anon, shm = 0;
	int rounds = 1, opt, sig, bad = 0;
	bool wait = false;
	sigset_t go;
	char *a, *s = NULL;
	double start;

	while ((opt = getopt(argc, argv, "r:p:w")) != -1) {
		if (opt == 'r') {
			rounds = atoi(optarg);
			continue;
		}
		if (opt == 'w') {
			wait = true;
			continue;
		}
		if (opt != 'p')
			return 2;
		for (pattern = 0; pattern <= PATTERN_ANY; pattern++)
			if (!strcmp(names[pattern], optarg))
				break;
		if (pattern > PATTERN_ANY)
			return 2;
	}
	argc -= optind;
	argv += optind;
	if (argc != 1 && argc != 3) {
		fprintf(stderr, "usage: push [-r ROUNDS] [-p PATTERN] [-w] MB [TMPFS_MB FILE]\n");
		return 2;
	}

	page_size = sysconf(_SC_PAGESIZE);
	anon = strtoul(argv[0], NULL, 10) * ((1UL << 20) / page_size);
	a = map_region(anon, false);
	if (!a) {
		perror("mmap");
		return 2;
	}
	if (argc == 3) {
		shm = strtoul(argv[1], NULL, 10) * ((1UL << 20) / page_size);
		s = map_file(argv[2], shm * page_size);
	}

	sigemptyset(&go);
	sigaddset(&go, SIGUSR1);
	sigprocmask(SIG_BLOCK, &go, NULL);

	for (int round = 0; round < rounds && !bad; round++) {
		start = now();
		fill_region(a, anon, pattern, 2 * round);
		if (s)
			fill_region(s, shm, pattern, 2 * round + 1);
		printf("filled %zu MB anonymous and %zu MB tmpfs memory in %.1f s\n",
		       anon * page_size >> 20, shm * page_size >> 20, now() - start);
		fflush(stdout);
		if (wait)
			sigwait(&go, &sig);
		start = now();
		bad = verify("anonymous memory", a, anon, pattern, 2 * round);
		if (s)
			bad |= verify("tmpfs", s, shm, pattern, 2 * round + 1);
		printf("verified every byte in %.1f s: %s\n", now() - start,
		       bad ? "WRONG" : "all right");
		fflush(stdout);
	}
	return bad;
}
