/* SPDX-License-Identifier: Apache-2.0 */
/* Silence statistics of pronunciations. They are no part of the content
 * checksum: no word is recognised by them alone. */
#include "lexicon/store_internal.h"

sn_status sn_store_set_silence(sn_store *st, const char *word,
                               const char *phones, const sn_silence_stats *s,
                               sn_err *err) {
  SN_ASSERT(st != NULL && word != NULL && phones != NULL && s != NULL);
  if (!(s->p_after >= 0.0 && s->p_after <= 1.0) ||
      !(s->sil_before_factor > 0.0) || !(s->nosil_before_factor > 0.0))
    return sn_fail(err, SN_EARG,
                   "%s: word '%s': silence statistics %g %g %g: expected a "
                   "probability and two factors above 0",
                   st->path, word, s->p_after, s->sil_before_factor,
                   s->nosil_before_factor);
  SN_TRY(sni_store_begin(st, err));
  sqlite3_stmt *q = NULL;
  sn_status status = sni_store_prepare(
      st,
      "INSERT INTO silence SELECT p.id, ?3, ?4, ?5 FROM pron p "
      "JOIN word w ON w.id=p.word_id WHERE w.name=?1 AND p.phones=?2 "
      "ON CONFLICT(pron_id) DO UPDATE SET p_after=?3, sil_before_factor=?4, "
      "nosil_before_factor=?5",
      &q, err);
  if (status == SN_OK) {
    sni_store_bind_text(q, 1, word);
    sni_store_bind_text(q, 2, phones);
    (void)sqlite3_bind_double(q, 3, s->p_after);
    (void)sqlite3_bind_double(q, 4, s->sil_before_factor);
    (void)sqlite3_bind_double(q, 5, s->nosil_before_factor);
    status = sni_store_run(st, q, err);
  }
  if (status == SN_OK && sqlite3_changes(st->db) == 0)
    status = sn_fail(err, SN_EARG,
                     "%s: word '%s' has no pronunciation '%s' to keep silence "
                     "statistics for",
                     st->path, word, phones);
  sqlite3_finalize(q);
  return sni_store_end(st, status, err);
}

sn_status sn_store_get_silence(sn_store *st, const char *word,
                               const char *phones, sn_silence_stats *s,
                               bool *found, sn_err *err) {
  SN_ASSERT(st != NULL && word != NULL && phones != NULL && s != NULL);
  sqlite3_stmt *q = NULL;
  SN_TRY(sni_store_prepare(
      st,
      "SELECT p_after, sil_before_factor, nosil_before_factor FROM silence "
      "JOIN pron p ON p.id=pron_id JOIN word w ON w.id=p.word_id "
      "WHERE w.name=?1 AND p.phones=?2",
      &q, err));
  sni_store_bind_text(q, 1, word);
  sni_store_bind_text(q, 2, phones);
  const sn_status status = sni_store_step(st, q, found, err);
  if (status == SN_OK && *found)
    *s = (sn_silence_stats){sqlite3_column_double(q, 0),
                            sqlite3_column_double(q, 1),
                            sqlite3_column_double(q, 2)};
  sqlite3_finalize(q);
  return status;
}
