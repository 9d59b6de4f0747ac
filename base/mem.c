/* SPDX-License-Identifier: Apache-2.0 */
/* Heap access with fault injection and a count of live blocks. The counters
 * are the only mutable file-level state of the project; they are atomic. */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN_BYTES 64u

static atomic_long live_blocks;
static atomic_long fail_countdown = -1;
static atomic_bool fault_fired;

static bool fault_due(void) {
  if (atomic_load_explicit(&fail_countdown, memory_order_relaxed) < 0)
    return false;
  if (atomic_fetch_sub(&fail_countdown, 1) > 0) return false;
  atomic_store(&fault_fired, true);
  return true;
}

static void *counted(void *p) {
  if (p != NULL)
    atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
  return p;
}

void *sn_calloc(size_t n, size_t size) {
  if (size != 0 && n > PTRDIFF_MAX / size) return NULL;
  if (fault_due()) return NULL;
  return counted(calloc(n ? n : 1, size ? size : 1));
}

void *sn_realloc(void *p, size_t n, size_t size) {
  if (size != 0 && n > PTRDIFF_MAX / size) return NULL;
  if (fault_due()) return NULL;
  const size_t bytes = n * size;
  void *const q = realloc(p, bytes ? bytes : 1);
  return p == NULL ? counted(q) : q;
}

void sn_free(void *p) {
  if (p == NULL) return;
  atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
  free(p);
}

void *sn_calloc_aligned(size_t n, size_t size) {
  if (size != 0 && n > (PTRDIFF_MAX - ALIGN_BYTES) / size) return NULL;
  if (fault_due()) return NULL;
  const size_t bytes =
      (n * size + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES + ALIGN_BYTES;
  void *const p = aligned_alloc(ALIGN_BYTES, bytes);
  if (p != NULL) memset(p, 0, bytes);
  return counted(p);
}

void sn_free_aligned(void *p) { sn_free(p); }

char *sn_strndup(const char *s, size_t n) {
  char *const p = sn_calloc(n + 1, 1);
  if (p != NULL && n > 0) memcpy(p, s, n);
  return p;
}

char *sn_strdup(const char *s) { return sn_strndup(s, strlen(s)); }

void sn_mem_fail_after(long k) {
  atomic_store(&fail_countdown, k);
  atomic_store(&fault_fired, false);
}
bool sn_mem_fault_fired(void) { return atomic_load(&fault_fired); }
long sn_mem_live(void) { return atomic_load(&live_blocks); }
