/* SPDX-License-Identifier: Apache-2.0 */
/* Growth of arrays. */
#include "base/arr.h"

#include <string.h>

sn_status sni_arr_grow(void *data_ptr, size_t size, size_t *cap, size_t want,
                       sn_err *err) {
  size_t next = *cap + *cap / 2 + 8;
  if (next < want) next = want;
  void *p; /* copied as bytes: a T * may not be read as a void * */
  memcpy(&p, data_ptr, sizeof p);
  p = sn_realloc(p, next, size);
  if (p == NULL)
    return sn_fail(err, SN_ENOMEM,
                   "out of memory for %zu elements of %zu bytes", next, size);
  memcpy(data_ptr, &p, sizeof p);
  *cap = next;
  return SN_OK;
}
