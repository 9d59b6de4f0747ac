/* SPDX-License-Identifier: Apache-2.0 */
/* base/opt.h - one table per options struct: it serves the command line, the
 * config file, --help, the range check and model headers, so that these can
 * not drift apart. */
#ifndef SN_BASE_OPT_H
#define SN_BASE_OPT_H
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/str.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sn_opt_type {
  SN_OPT_FLOAT,  /* float */
  SN_OPT_DOUBLE, /* double */
  SN_OPT_INT,    /* int32_t */
  SN_OPT_SIZE,   /* size_t */
  SN_OPT_BOOL,   /* bool: yes/no, true/false, 1/0 */
  SN_OPT_STRING, /* const char *; see sn_opt_set on who owns it */
  SN_OPT_ENUM    /* int32_t: index into the words of `choices` */
} sn_opt_type;

typedef struct sn_opt {
  const char *name; /* as typed: "low-freq" */
  sn_opt_type type;
  size_t offset;          /* into the options struct */
  double deflt, min, max; /* numbers: both bounds allowed. bool: 0 or 1 */
  const char *text;       /* default of strings; "word|word" of enums */
  const char *unit, *help;
} sn_opt;
#define SN_OPT_END \
  { NULL, SN_OPT_FLOAT, 0, 0, 0, 0, NULL, NULL, NULL }

/* tab ends at SN_OPT_END; opts is the struct that its offsets are for. */
void sn_opt_defaults(const sn_opt *tab, void *opts);
/* SN_EARG for an unknown name (the nearest one is suggested), a text that is
 * not of the type, a value out of range. A string's pointer is stored as it
 * is: the text must outlive opts. '_' and '-' in names are the same. */
SN_NODISCARD sn_status sn_opt_set(const sn_opt *tab, void *opts,
                                  const char *name, const char *text,
                                  sn_err *err);
const sn_opt *sn_opt_find(const sn_opt *tab, const char *name); /* or NULL */
/* The value as text that sn_opt_set takes. */
SN_NODISCARD sn_status sn_opt_get(const sn_opt *o, const void *opts,
                                  sn_str *out, sn_err *err);
/* "  --low-freq=20    Hz, 0 to 96000: lower edge ..." for every entry. */
SN_NODISCARD sn_status sn_opt_help(const sn_opt *tab, sn_str *out, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
