/* SPDX-License-Identifier: Apache-2.0 */
/* The normaliser: a first byte below 128 says a line under the built-in rules,
 * else rules up to a NUL and a line behind it. */
#include <stdint.h>
#include <string.h>

#include "lm/normalise.h"

/* Made once: its rules take longer than a line. */
static sn_norm *english;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1) return 0;
  const char *text = (const char *)data + 1;
  size_t n_text = size - 1;
  sn_reader *r = NULL;
  sn_norm *n = NULL;
  sn_str out = {0};
  if (data[0] >= 128) {
    const char *const end = memchr(text, 0, n_text);
    const size_t n_rules = end != NULL ? (size_t)(end - text) : n_text;
    if (sn_reader_memory(text, n_rules, "fuzz", &r, NULL) != SN_OK) return 0;
    text += end != NULL ? n_rules + 1 : n_rules;
    n_text -= end != NULL ? n_rules + 1 : n_rules;
  }
  sn_norm **const which = r != NULL ? &n : &english;
  if (*which != NULL || sn_norm_create(r, NULL, which, NULL) == SN_OK) {
    const sn_status s = sn_norm_line(*which, text, n_text, &out, NULL);
    (void)s;
  }
  sn_norm_destroy(n);
  sn_reader_destroy(r);
  sn_str_clear(&out);
  return 0;
}
