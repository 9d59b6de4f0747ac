/* SPDX-License-Identifier: Apache-2.0 */
/* Lexicons from hostile bytes: SQLite stores, and the text formats (the first
 * byte of other input chooses which). What was read must be whole. */
#include <stdint.h>
#include <string.h>

#include "lexicon/formats.h"
#include "lexicon/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(sn_lexicon *lex) {
  for (int32_t w = 0; w < sn_symtab_n(lex->words); w++) {
    int32_t first;
    const int32_t n = sn_lexicon_prons(lex, w, &first);
    for (int32_t i = first; i < first + n; i++) {
      const int32_t *const ids = sn_lexicon_phones(lex, i);
      for (int32_t k = 0; k < lex->prons.data[i].n_phones; k++)
        SN_ASSERT(ids[k] >= 0 && ids[k] < sn_symtab_n(lex->phones));
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char magic[] = "SQLite format 3";
  sn_lexicon lex = {0};
  sn_status s = SN_EFORMAT;
  if (size >= sizeof magic && memcmp(data, magic, sizeof magic) == 0) {
    sn_store *st = NULL;
    if (sn_store_open_memory(data, size, "fuzz", &st, NULL) == SN_OK)
      s = sn_store_load(st, &lex, NULL);
    sn_store_destroy(st);
  } else if (size > 0) {
    const sn_lex_read_opts o = {.format = data[0] % (SN_LEX_TSV + 1),
                                .strip_stress = (data[0] & 0x80) != 0};
    s = sn_lexicon_read_memory(data + 1, size - 1, "fuzz", &o, NULL, &lex, NULL,
                               NULL);
  }
  if (s == SN_OK) walk(&lex);
  sn_lexicon_clear(&lex);
  return 0;
}
