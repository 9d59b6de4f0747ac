/* SPDX-License-Identifier: Apache-2.0 */
/* base/arr.h - growable arrays of any element type.
 *
 *   SN_ARR(int32_t) ids = {0};
 *   SN_TRY(SN_ARR_PUSH(&ids, 7, err));     ids.data[ids.n - 1] == 7
 *   SN_ARR_FREE(&ids);
 *
 * A zeroed array is empty and valid. A failed push leaves it as it was. */
#ifndef SN_BASE_ARR_H
#define SN_BASE_ARR_H
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SN_ARR(T)  \
  struct {         \
    T *data;       \
    size_t n, cap; \
  }

typedef SN_ARR(int32_t) sn_arr_i32;
typedef SN_ARR(float) sn_arr_f32;
typedef SN_ARR(char *) sn_arr_str; /* elements owned by whoever says so */

/* Makes room for `want` elements in all; capacity grows by half at least.
 * data_ptr is the address of the array's `data` member. SN_ENOMEM. */
SN_NODISCARD sn_status sni_arr_grow(void *data_ptr, size_t size, size_t *cap,
                                    size_t want, sn_err *err);

#define SN_ARR_RESERVE(a, want, err)                                           \
  ((want) <= (a)->cap ? SN_OK                                                  \
                      : sni_arr_grow(&(a)->data, sizeof *(a)->data, &(a)->cap, \
                                     (want), (err)))

#define SN_ARR_PUSH(a, value, err)             \
  (SN_ARR_RESERVE(a, (a)->n + 1, err) != SN_OK \
       ? SN_ENOMEM                             \
       : ((void)((a)->data[(a)->n++] = (value)), SN_OK))

/* Sets the length; new elements are not initialised. */
#define SN_ARR_RESIZE(a, want, err)                  \
  (SN_ARR_RESERVE(a, want, err) != SN_OK ? SN_ENOMEM \
                                         : ((void)((a)->n = (want)), SN_OK))

#define SN_ARR_FREE(a)     \
  do {                     \
    sn_free((a)->data);    \
    (a)->data = NULL;      \
    (a)->n = (a)->cap = 0; \
  } while (0)
#ifdef __cplusplus
}
#endif
#endif
