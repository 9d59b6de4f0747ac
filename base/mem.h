/* SPDX-License-Identifier: Apache-2.0 */
/* base/mem.h - the only door to the heap, so that tests can make it fail. */
#ifndef SN_BASE_MEM_H
#define SN_BASE_MEM_H
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Zeroed storage for n elements of `size` bytes. NULL on overflow of n * size
 * or when the heap is exhausted; n == 0 gives a block that may be freed. */
void *sn_calloc(size_t n, size_t size);

/* Grows or shrinks p (from sn_calloc or sn_realloc, or NULL) to n elements of
 * `size` bytes; the new part is not zeroed. On failure NULL, and p stays. */
void *sn_realloc(void *p, size_t n, size_t size);
void sn_free(void *p); /* NULL is fine */

/* Zeroed storage that starts on a 64-byte boundary (for matrices and arrays
 * that vector code walks). Release it with sn_free_aligned only. */
void *sn_calloc_aligned(size_t n, size_t size);
void sn_free_aligned(void *p);

/* Copies; owned by the caller (sn_free). NULL when the heap is exhausted. */
char *sn_strdup(const char *s);
char *sn_strndup(const char *s, size_t n);

/* Test hooks. After sn_mem_fail_after(k) the (k+1)-th allocation fails and all
 * later ones succeed; a negative k switches that off. Single-threaded use. */
void sn_mem_fail_after(long k);
bool sn_mem_fault_fired(void); /* whether the scheduled fault happened */
long sn_mem_live(void);        /* blocks allocated and not yet freed */
#ifdef __cplusplus
}
#endif
#endif
