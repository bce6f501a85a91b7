/* SPDX-License-Identifier: GPL-2.0 */
/* Page contents that can be made and verified from a seed and an index. */
#ifndef _VSWAP_PATTERN_H
#define _VSWAP_PATTERN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum pattern {
	PATTERN_ZERO,		/* zeroes */
	PATTERN_WORD,		/* one word over and over */
	PATTERN_QUARTER,	/* a quarter random, compresses to that */
	PATTERN_RANDOM,		/* does not compress */
	PATTERN_MIXED,		/* one of the first three, by index */
	PATTERN_ANY,		/* one of the first four, by index */
	PATTERN_POOR,		/* seven eighths random, hardly compresses */
};

static inline uint64_t pattern_next(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* Fill one page of @size bytes; two pages with the same content are rare. */
static inline void pattern_fill(void *page, size_t size, enum pattern pattern,
				unsigned long seed, unsigned long index)
{
	uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15ULL + index * 0xd1342543de82ef95ULL + 1;
	size_t words = size / sizeof(uint64_t), random = 0;
	uint64_t *p = page, fill;

	pattern_next(&state);
	if (pattern == PATTERN_MIXED)
		pattern = (state >> 16) % 3;
	else if (pattern == PATTERN_ANY)
		pattern = (state >> 16) % 4;

	fill = pattern == PATTERN_ZERO ? 0 : pattern_next(&state) | 1;
	if (pattern == PATTERN_QUARTER)
		random = words / 4;
	else if (pattern == PATTERN_RANDOM)
		random = words;
	else if (pattern == PATTERN_POOR)
		random = words - words / 8;

	for (size_t i = 0; i < words; i++)
		p[i] = i < random ? pattern_next(&state) : fill;
}

/* Is the page what pattern_fill() made it? */
static inline bool pattern_check(const void *page, size_t size,
				 enum pattern pattern, unsigned long seed,
				 unsigned long index)
{
	static __thread char want[65536];

	pattern_fill(want, size, pattern, seed, index);
	return !memcmp(page, want, size);
}

#endif
