/* SPDX-License-Identifier: Apache-2.0 */
/* base/pool.h - threads, and reductions that do not depend on their number. */
#ifndef SN_BASE_POOL_H
#define SN_BASE_POOL_H
#include <stddef.h>

#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_pool sn_pool;

/* n_threads 0: as many as the machine has. The caller's thread works too, so 1
 * starts none. */
SN_NODISCARD sn_status sn_pool_create(size_t n_threads, sn_pool **out,
                                      sn_err *err);
void sn_pool_destroy(sn_pool *p);
size_t sn_pool_n_threads(const sn_pool *p);

/* Work on item i by worker w (w < n_threads: an index for scratch memory). */
typedef sn_status sn_pool_fn(void *user, size_t i, size_t w, sn_err *err);

/* Calls fn for every i in [0, n), in any order, and waits. When some fail, the
 * failure of the smallest i is returned, and items above it may be left out.
 * p may be NULL: the caller's thread does everything. */
SN_NODISCARD sn_status sn_pool_for(sn_pool *p, size_t n, sn_pool_fn *fn,
                                   void *user, sn_err *err);

/* An ordered pipeline: work(i) in parallel, emit(i) one at a time in the order
 * of i, as soon as possible, at most `window` items (0: 4 per thread) begun
 * and not yet emitted. A failure of work or emit ends it as in sn_pool_for. */
SN_NODISCARD sn_status sn_pool_ordered(sn_pool *p, size_t n, size_t window,
                                       sn_pool_fn *work, sn_pool_fn *emit,
                                       void *user, sn_err *err);

/* Fixed-order reduction: acc(i) fills part i (i < n_parts, fixed by the data,
 * not by the threads) in parallel; then add(into = 0, from = i) is called for
 * i = 1 .. n_parts-1 in that order by one thread. */
typedef sn_status sn_pool_add_fn(void *user, size_t into, size_t from,
                                 sn_err *err);
SN_NODISCARD sn_status sn_pool_reduce(sn_pool *p, size_t n_parts,
                                      sn_pool_fn *acc, sn_pool_add_fn *add,
                                      void *user, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
