/* SPDX-License-Identifier: Apache-2.0 */
/* base/str_internal.h - formatting and the C locale, within base. */
#ifndef SN_BASE_STR_INTERNAL_H
#define SN_BASE_STR_INTERNAL_H
#include <locale.h>
#include <stdarg.h>

#include "base/status.h"
#include "base/str.h"
#ifdef __cplusplus
extern "C" {
#endif

/* The C locale for this thread, between enter and leave. */
typedef struct sni_locale {
  locale_t c, old;
} sni_locale;
sni_locale sni_locale_enter(void);
void sni_locale_leave(sni_locale l);

SN_NODISCARD sn_status sni_str_addv(sn_str *s, sn_err *err, const char *fmt,
                                    va_list ap);
#ifdef __cplusplus
}
#endif
#endif
