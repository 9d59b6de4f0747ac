/* SPDX-License-Identifier: Apache-2.0 */
/* base/arena.h - many small objects that live and die together. */
#ifndef SN_BASE_ARENA_H
#define SN_BASE_ARENA_H
#include <stddef.h>

#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Bump allocation from chunks. Zeroed is empty and valid. Free memory is
 * poisoned under AddressSanitizer. */
typedef struct sn_arena {
  struct sni_arena_chunk *head; /* chunk in use; older ones follow */
  struct sni_arena_chunk *spare;
  size_t chunk_bytes; /* 0: 64 KiB */
  size_t used_bytes;  /* in all chunks, for reports */
} sn_arena;

/* n * size bytes, zeroed, aligned for any type; valid until reset or clear.
 * NULL when the heap is exhausted or on overflow. */
void *sn_arena_alloc(sn_arena *a, size_t n, size_t size);
char *sn_arena_strndup(sn_arena *a, const char *s, size_t n);
void sn_arena_reset(sn_arena *a); /* forgets the objects, keeps the chunks */
void sn_arena_clear(sn_arena *a); /* gives everything back */
#ifdef __cplusplus
}
#endif
#endif
