/* SPDX-License-Identifier: Apache-2.0 */
/* Settings files, and the readers of lines and gzip under them. */
#include <stddef.h>
#include <stdint.h>

#include "base/ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sn_ini *ini = NULL;
  sn_err err = {0};
  if (sn_ini_parse((const char *)data, size, "fuzz", &ini, &err) != SN_OK)
    return 0;
  double d = 0;
  const char *value = NULL;
  if (sn_ini_get_double(ini, "", "a", &d, &err) != SN_OK) sn_err_clear(&err);
  for (size_t i = 0; sn_ini_key_at(ini, "m", i, &value) != NULL; i++) {
  }
  sn_ini_destroy(ini);
  return 0;
}
