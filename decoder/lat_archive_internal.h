/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/lat_archive_internal.h - Senone's own archive of lattices; see
 * lat_archive.c for its layout. Used through lat_io.h. */
#ifndef SN_DECODER_LAT_ARCHIVE_INTERNAL_H
#define SN_DECODER_LAT_ARCHIVE_INTERNAL_H
#include "base/io.h"
#include "decoder/lat_words.h"
#include "decoder/lattice.h"

typedef struct sni_lat_archive sni_lat_archive;
/* Takes the box over, also on failure. */
SN_NODISCARD sn_status sni_lat_archive_open(sn_box *box, const char *name,
                                            sni_lat_archive **out, sn_err *err);
void sni_lat_archive_destroy(sni_lat_archive *a);
SN_NODISCARD sn_status sni_lat_archive_next(sni_lat_archive *a,
                                            const char **key, sn_lat *lat,
                                            sn_err *err);
/* From now on labels are those of `words`, which takes the archive's words. */
SN_NODISCARD sn_status sni_lat_archive_map(sni_lat_archive *a,
                                           sn_lat_words *words, sn_err *err);
size_t sni_lat_archive_n(const sni_lat_archive *a);
bool sni_lat_archive_seek(sni_lat_archive *a, const char *key);
bool sni_lat_archive_has_words(const sni_lat_archive *a);
const char *sni_lat_archive_meta(const sni_lat_archive *a, size_t i,
                                 const char **value);

typedef struct sni_lat_archive_writer sni_lat_archive_writer;
SN_NODISCARD sn_status sni_lat_archive_create(const char *path,
                                              sni_lat_archive_writer **out,
                                              sn_err *err);
void sni_lat_archive_writer_destroy(sni_lat_archive_writer *w);
SN_NODISCARD sn_status sni_lat_archive_write(sni_lat_archive_writer *w,
                                             const char *key, const sn_lat *l,
                                             sn_err *err);
SN_NODISCARD sn_status sni_lat_archive_set_meta(sni_lat_archive_writer *w,
                                                const char *key,
                                                const char *value, sn_err *err);
/* words may be NULL. */
SN_NODISCARD sn_status sni_lat_archive_commit(sni_lat_archive_writer *w,
                                              const sn_lat_words *words,
                                              sn_err *err);
#endif
