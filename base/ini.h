/* SPDX-License-Identifier: Apache-2.0 */
/* base/ini.h - small text settings: [section], key = value, # comments. */
#ifndef SN_BASE_INI_H
#define SN_BASE_INI_H
#include <stddef.h>

#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_ini sn_ini;
SN_NODISCARD sn_status sn_ini_create(sn_ini **out, sn_err *err);
/* Duplicate keys and lines that are neither are SN_EFORMAT, path:line. */
SN_NODISCARD sn_status sn_ini_load(const char *path, sn_ini **out, sn_err *err);
SN_NODISCARD sn_status sn_ini_parse(const char *text, size_t n,
                                    const char *name, sn_ini **out,
                                    sn_err *err);
SN_NODISCARD sn_status sn_ini_save(const sn_ini *ini, const char *path,
                                   sn_err *err);
void sn_ini_destroy(sn_ini *ini);
/* Borrowed; NULL when there is none. */
const char *sn_ini_get(const sn_ini *ini, const char *section, const char *key);
/* SN_EFORMAT, naming file, section and key, when missing. */
SN_NODISCARD sn_status sn_ini_need(const sn_ini *ini, const char *section,
                                   const char *key, const char **value,
                                   sn_err *err);
/* Missing: *out stays. Not a number: SN_EFORMAT. */
SN_NODISCARD sn_status sn_ini_get_double(const sn_ini *ini, const char *section,
                                         const char *key, double *out,
                                         sn_err *err);
SN_NODISCARD sn_status sn_ini_set(sn_ini *ini, const char *section,
                                  const char *key, const char *value,
                                  sn_err *err);
/* Walks a section's keys in file order: i from 0 until it returns NULL. */
const char *sn_ini_key_at(const sn_ini *ini, const char *section, size_t i,
                          const char **value);
#ifdef __cplusplus
}
#endif
#endif
