/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the seeds that are binary, DIR/<target>/<name>, with the project's
 * own writers; those that are text lie in tests/fuzz/corpus.
 * usage: fuzz_seeds DIR */
#include "base/kaldi_io.h"
#include "decoder/lat_io.h"
#include "graphs/graph_writer.h"
#include "lexicon/formats.h"
#include "lexicon/store.h"
#include "lm/count.h"
#include "lm/ngram.h"
#include "tests/am/am_support.h"
#include "tests/graphs/openfst_bytes.h"
#include "train/checkpoint_internal.h"

static sn_err err;

static void check(sn_status s) {
  if (s == SN_OK) return;
  fprintf(stderr, "fuzz_seeds: %s\n", err.msg);
  exit(1);
}

static const char *in(const char *dir, const char *name) {
  static char path[4][512];
  static int turn;
  char whole[sizeof path[0]]; /* dir may itself lie in path */
  turn = (turn + 1) % 4;
  in_dir(whole, sizeof whole, dir, name);
  memcpy(path[turn], whole, sizeof whole);
  return path[turn];
}

/* dir/target, made. */
static const char *target(const char *dir, const char *name) {
  const char *const path = in(dir, name);
  (void)mkdir(path, 0777);
  return path;
}

/* A file again under the same name, with a byte before its first one: what
 * targets choose by. */
static void choose(const char *path, unsigned char first) {
  char *data = NULL;
  size_t n = 0;
  check(sn_file_read(path, &data, &n, &err));
  FILE *const f = fopen(path, "wb");
  if (f == NULL || fputc(first, f) == EOF || fwrite(data, 1, n, f) != n ||
      fclose(f) != 0)
    exit(1);
  sn_free(data);
}

static void am_seeds(const char *dir) {
  static const toy kinds[] = {{SN_AM_PTM, 3, 8, false, false, false},
                              {SN_AM_CONTINUOUS, 1, 2, false, false, true}};
  const char *const am = target(dir, "am");
  for (int i = 0; i < 2; i++) {
    char from[256], to[256], *data = NULL;
    size_t n = 0;
    make_dir(from, sizeof from);
    make_dir(to, sizeof to);
    toy_write(&kinds[i], from);
    check(sn_am_import_sphinx(from, to, NULL, NULL, &err));
    read_all(to, "am.bin", &data, &n);
    write_file(am, i == 0 ? "ptm" : "continuous", data, n);
    sn_free(data);
    remove_dir(from);
    remove_dir(to);
  }
  const char *const mdef = target(dir, "mdef");
  const char *const params = target(dir, "sphinx_params");
  bytes b[] = {toy_mdef_text(),       toy_mdef_binary(false),
               toy_mdef_binary(true), toy_gauss(&kinds[1], false),
               toy_mixw(&kinds[1]),   toy_tmat(false),
               toy_sendump(kinds, 0), toy_sendump(kinds, 15)};
  static const char *const names[] = {"text",    "little",      "big",
                                      "means",   "weights",     "transitions",
                                      "sendump", "sendump-4bit"};
  for (int i = 0; i < 8; i++)
    write_bytes(i < 3 ? mdef : params, names[i], &b[i]);
}

static void box_seed(const char *dir) {
  static const int32_t ints[] = {1, -2, 3};
  sn_box_writer *w = NULL;
  check(sn_box_create(in(target(dir, "box"), "box"), "SNFUZZ", 1, &w, &err));
  check(sn_box_add(w, "ints", 4, ints, 3, &err));
  check(sn_box_add(w, "a", 1, "abcde", 5, &err));
  check(sn_box_add(w, "b", 8, NULL, 0, &err));
  check(sn_box_commit(w, &err));
  sn_box_writer_destroy(w);
}

static void ark_seeds(const char *dir) {
  static const float v[] = {1, -2.5f, 3, 0.25f, 1e10f, -1e-10f};
  static const int32_t ints[] = {7, -1, 0};
  static const char *const names[] = {"binary", "text"};
  const char *const ark = target(dir, "ark");
  const sn_cmat m = {v, 2, 3, 3};
  for (int i = 0; i < 2; i++) {
    char spec[600];
    sn_ark_writer *w = NULL;
    const char *const path = in(ark, names[i]);
    (void)snprintf(spec, sizeof spec, "%s:%s", i == 0 ? "ark" : "ark,t", path);
    check(sn_ark_writer_open(spec, &w, &err));
    check(sn_ark_write_mat(w, "f", m, SN_ARK_MATRIX, &err));
    check(sn_ark_write_ints(w, "i", ints, 3, &err));
    check(sn_ark_write_mat(w, "d", m, SN_ARK_MATRIX_D, &err));
    check(sn_ark_write_ints(w, "j", ints, 1, &err));
    for (int method = 2; i == 0 && method <= 5; method += method == 2 ? 1 : 2)
      check(sn_ark_write_compressed(w, "c", m, method, &err));
    check(sn_ark_writer_commit(w, &err));
    sn_ark_writer_destroy(w);
    choose(path, 2);
  }
}

static void lexicon_seed(const char *dir) {
  static const char text[] =
      "tomato T AH M EY T OW\ntomato(2) T AH M AA T OW\n";
  const char *const path = in(target(dir, "lexicon"), "store");
  const sn_lex_read_opts o = {.format = SN_LEX_CMUDICT};
  const sn_import_opts opts = {SN_SOURCE_BASE, "seed", SN_ENTRY_APPROVED, true};
  sn_lexicon lex = {0};
  sn_store *st = NULL;
  (void)remove(path);
  check(sn_lexicon_read_memory(text, sizeof text - 1, "seed", &o, NULL, &lex,
                               NULL, &err));
  check(sn_store_open(path, SN_STORE_CREATE, &st, &err));
  check(sn_store_import(st, &lex, &opts, NULL, NULL, &err));
  sn_store_destroy(st);
  sn_lexicon_clear(&lex);
}

static void count_seeds(const char *dir) {
  static const char text[] = "a b c\nb c\na b d a\n";
  const sn_count_opts opts = {3, 1.0, "/tmp", "", NULL};
  sn_counts *c = NULL;
  sn_reader *r = NULL;
  sn_text_source *t = NULL;
  check(sn_counts_create(&opts, NULL, &c, &err));
  check(sn_reader_memory(text, sizeof text - 1, "seed", &r, &err));
  check(sn_text_source_create(NULL, &t, &err));
  check(sn_counts_add_text(c, t, r, &err));
  check(sn_counts_save(c, in(target(dir, "counts"), "order3"), NULL, &err));
  sn_text_source_destroy(t);
  sn_reader_destroy(r);
  sn_counts_destroy(c);
}

static void lm_seeds(const char *dir) {
  static const char arpa[] =
      "\\data\\\nngram 1=5\nngram 2=3\nngram 3=1\n\n\\1-grams:\n-99 <s> -0.3\n"
      "-1 </s>\n-0.5 a -0.2\n-0.6 b -0.1\n-0.9 <unk>\n\n\\2-grams:\n"
      "-0.3 <s> a -0.1\n-0.4 a b\n-0.2 b </s>\n\n\\3-grams:\n-0.1 <s> a b\n\n"
      "\\end\\\n";
  sn_ngram *lm = NULL;
  check(sn_ngram_load_memory(arpa, sizeof arpa - 1, "seed", &lm, &err));
  const char *const path = in(target(dir, "lm_binary"), "trigram");
  check(sn_ngram_save(lm, path, SN_NGRAM_BINARY, NULL, &err));
  choose(path, 0);
  const char *const fast = in(target(dir, "lm_binary"), "fast");
  check(sn_ngram_save(lm, fast, SN_NGRAM_FAST, NULL, &err));
  choose(fast, 0);
  const char *const small = in(target(dir, "lm_small"), "trigram");
  check(sn_ngram_save(lm, small, SN_NGRAM_SMALL, NULL, &err));
  choose(small, 1);
  sn_ngram_destroy(lm);
  /* A Sphinx model of Debian's, without its tables (see fuzz_sphinx_lm.c). */
  enum { HEAD = 17, MAGIC = 19, TABLES = 3 * 65536 * 4 };
  char *data = NULL;
  size_t n = 0;
  const char *const to = target(dir, "sphinx_lm");
  const char *const turtle = TESTDATA "/turtle.lm.bin";
  bytes b = {0};
  put_text(&b, "\1\2\3");
  write_bytes(to, "none", &b);
  if (!have(turtle)) return;
  check(sn_file_read(turtle, &data, &n, &err));
  if (n > MAGIC + HEAD + TABLES && data[MAGIC] == 3) {
    put(&b, data + MAGIC, HEAD);
    put(&b, data + MAGIC + HEAD + TABLES, n - (MAGIC + HEAD + TABLES));
    write_bytes(to, "turtle", &b);
  }
  sn_free(data);
}

/* A word of two states between silence. */
static void graph_seed(const char *dir) {
  static const sn_graph_state states[] = {{0, 0, -1, INFINITY},
                                          {1, 0, 0, INFINITY},
                                          {2, 0, 1, INFINITY},
                                          {3, 0, 2, 0.5f},
                                          {3, 1, -1, 0}};
  static const sn_graph_arc emit[] = {
      {1, 0, 0, 0.1f}, {2, 1, 1, 0.2f}, {3, 2, 0, 0.3f}};
  static const sn_graph_arc eps[] = {{0, -1, 0, 0.7f}};
  static const sn_graph_label labels[] = {{0, 0.1f, 0, 0, 3, 1, 1},
                                          {1, 0.1f, 1, 0, 1, 0, 1},
                                          {2, 0.1f, 1, 1, 1, 0, 0}};
  static const char *const words[] = {"a"}, *const phones[] = {"SIL", "A"};
  static const char *const meta[] = {"made-by", "seed"};
  const sn_graph_parts p = {states, emit, eps, labels, 4,      3,    1, 2, 3, 0,
                            3,      1,    1,   words,  phones, meta, 1};
  check(sn_graph_write(&p, in(target(dir, "graph"), "tiny"), &err));
}

/* 16-bit mono, and the same cut into 3 channels of floats by its header. */
static void audio_seeds(const char *dir) {
  const char *const to = target(dir, "audio");
  for (uint16_t i = 0; i < 2; i++) {
    const uint32_t width = i == 0 ? 2 : 12, n = 240;
    bytes b = {0};
    put_text(&b, "\x0fRIFF");
    put_u32(&b, 36 + n);
    put_text(&b, "WAVEfmt ");
    put_u32(&b, 16);
    put_u16(&b, i == 0 ? 1 : 3);
    put_u16(&b, i == 0 ? 1 : 3);
    put_u32(&b, 8000);
    put_u32(&b, 8000 * width);
    put_u16(&b, (uint16_t)width);
    put_u16(&b, i == 0 ? 16 : 32);
    put_text(&b, "data");
    put_u32(&b, n);
    for (uint32_t k = 0; k < n / 4; k++) put_float(&b, (float)k / 64);
    write_bytes(to, i == 0 ? "pcm16" : "float3", &b);
  }
}

/* Two ways to the end, in Kaldi's binary form and in ours. */
static void lattice_seeds(const char *dir) {
  static const int32_t ali[] = {1, 2, 3, 4};
  const char *const paths[] = {in(target(dir, "lat_kaldi"), "binary"),
                               in(target(dir, "lat_own"), "two")};
  sn_lat_builder *b = NULL;
  sn_lat_words *words = NULL;
  sn_lat lat;
  int32_t s[3], label;
  check(sn_lat_builder_create(&b, &err));
  for (int i = 0; i < 3; i++) check(sn_lat_builder_state(b, &s[i], &err));
  check(sn_lat_builder_arc(b, s[0], s[1], 1, 0.5f, 9, ali, 2, &err));
  check(sn_lat_builder_arc(b, s[0], s[1], 2, 0.75f, 8, ali + 1, 2, &err));
  check(sn_lat_builder_arc(b, s[1], s[2], 1, 0.25f, 7, ali + 2, 1, &err));
  check(sn_lat_builder_final(b, s[2], 0.125f, 0, ali + 3, 1, &err));
  check(sn_lat_builder_take(b, s[0], &lat, &err));
  sn_lat_builder_destroy(b);
  check(sn_lat_words_create(&words, &err));
  check(sn_lat_words_add(words, "yes", 3, &label, &err));
  check(sn_lat_words_add(words, "no", 2, &label, &err));
  for (int i = 0; i < 2; i++) {
    char specifier[600];
    sn_lat_writer *w = NULL;
    (void)snprintf(specifier, sizeof specifier, "%s%s",
                   i == 0 ? "ark:" : "lat:", paths[i]);
    check(sn_lat_writer_open(specifier, &w, &err));
    sn_lat_writer_words(w, words);
    check(sn_lat_writer_meta(w, "frame-shift", "0.01", &err));
    /* silence, a word of three phones, one of one (decoder/lat_align.h) */
    check(sn_lat_writer_meta(w, "labels", "CEAIM", &err));
    check(sn_lat_writer_meta(w, "times",
                             "u2\t4 0 0.5 0.01 0.01 3 2.25 0.01 0.01\n", &err));
    check(sn_lat_write(w, "u1", &lat, &err));
    check(sn_lat_write(w, "u2", &lat, &err));
    check(sn_lat_writer_commit(w, &err));
    sn_lat_writer_destroy(w);
  }
  sn_lat_words_destroy(words);
  sn_lat_clear(&lat);
}

/* A loop of two words over the transition ids of fuzz_openfst.c, in both
 * types, with symbols and without. */
static void openfst_seeds(const char *dir) {
  static const fst_arc arcs[] = {{0, 2, 1, 0.5f, 1}, {0, 2, 2, 0.25f, 1},
                                 {1, 3, 0, 0.1f, 1}, {1, 4, 0, 0.1f, 2},
                                 {2, 5, 0, 0.2f, 2}, {2, 0, 0, 0.0f, 3},
                                 {3, 6, 3, 1.0f, 0}};
  static const float finals[] = {INFINITY, INFINITY, 0.75f, 0.0f};
  const fst_shape shape = {finals, 4, 0, arcs, 7};
  static const char *const names[] = {"vector", "const", "vector-symbols",
                                      "const-aligned"};
  for (int i = 0; i < 4; i++) {
    const fst_bytes b = fst_write(&shape, i % 2 == 1, i < 2 ? 0 : 7);
    FILE *const f = fopen(in(target(dir, "openfst"), names[i]), "wb");
    if (f == NULL || fwrite(b.data, 1, b.n, f) != b.n || fclose(f) != 0)
      exit(1);
    free(b.data);
  }
}

/* Sums of three of four shards, and a checkpoint of one utterance. */
static void training_seeds(const char *dir) {
  const char *const to = target(dir, "train_stats");
  sni_stats_file f = {.model_crc = 1, .corpus_crc = 2, .n_utts = 100};
  f.sums.n_shards = 4;
  for (int64_t i = 0; i < 3; i++) {
    sni_part p;
    check(sni_part_init(&p, 2, 3, 6, &err));
    p.mix.occ[0] = p.mix.sumsq[1] = p.loops[2] = 1.5;
    check(sni_sums_put(&f.sums, 0, i, &p, &err));
    sni_part_clear(&p);
  }
  check(sni_stats_write(&f, in(to, "sums"), &err));
  sni_stats_clear(&f);

  static const int32_t ones[] = {1, 1, 1, 2, 1, 1};
  sni_seg segs[] = {{.word = -1, .pron = -1, .begin = {0, 1, 2, 4}},
                    {.phone = 1, .begin = {4, 5, 6, 8}}};
  sni_utt utt = {.segs = {segs, 2, 2}, .logp = -5};
  sni_corpus c = {.utts = &utt, .n = 1, .n_phones = 2};
  double occ[6] = {1, 2, 3, 4, 5, 6};
  sni_trainer t = {.corpus = &c, .occ = occ, .stage = "mono"};
  check(sni_tied_mono(2, &t.tied, &err));
  check(sn_mixtures_init(&t.mix, 6, 2, ones, &err));
  for (size_t i = 0; i < 14; i++) t.mix.vars[i] = 1;
  check(sn_str_adds(&t.json, "{}", &err));
  check(sni_checkpoint_write(&t, to, 3, &err));
  char *path = NULL;
  check(sni_stage_path(to, "mono", "checkpoint.bin", &path, &err));
  if (rename(path, in(to, "checkpoint")) != 0 || rmdir(in(to, "mono")) != 0)
    exit(1);
  sn_free(path);
  sni_tied_clear(&t.tied);
  sn_mixtures_clear(&t.mix);
  sn_str_clear(&t.json);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  (void)mkdir(argv[1], 0777);
  am_seeds(argv[1]);
  box_seed(argv[1]);
  ark_seeds(argv[1]);
  lexicon_seed(argv[1]);
  lm_seeds(argv[1]);
  count_seeds(argv[1]);
  graph_seed(argv[1]);
  openfst_seeds(argv[1]);
  lattice_seeds(argv[1]);
  audio_seeds(argv[1]);
  training_seeds(argv[1]);
  return 0;
}
