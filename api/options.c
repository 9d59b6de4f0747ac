/* SPDX-License-Identifier: Apache-2.0 */
/* Options by name, and how failures reach the caller. */
#include <stddef.h>
#include <string.h>

#include "api/api_internal.h"
#include "base/mem.h"

#define AT(field) offsetof(sn_settings, field)
const sn_opt sn_settings_table[] = {
    {"models", SN_OPT_STRING, AT(models), 0, 0, 0, "", "",
     "folders, separated by colons, where a model's name is looked up"},
    {"graph", SN_OPT_STRING, AT(graph), 0, 0, 0, "", "",
     "search graph to use instead of the model's own"},
    {"lm", SN_OPT_STRING, AT(lm), 0, 0, 0, "", "",
     "language model (ARPA or binary) to compile a graph for"},
    {"grammar", SN_OPT_STRING, AT(grammar), 0, 0, 0, "", "",
     "JSGF grammar to compile a graph for; with lm: added to it"},
    {"rule", SN_OPT_STRING, AT(rule), 0, 0, 0, "", "",
     "the grammar's rule to start from; else all public ones"},
    {"words", SN_OPT_STRING, AT(words), 0, 0, 0, "", "",
     "file with one word or phrase a line, to be said in any order; with lm: "
     "added to it"},
    {"class", SN_OPT_STRING, AT(classes), 0, 0, 0, "", "",
     "with lm: NAME=FILE[,NAME=FILE...]: the word $NAME of lm stands for the "
     "phrases of a list or a JSGF grammar"},
    {"grammar-weight", SN_OPT_DOUBLE, AT(grammar_weight), 0.1, 1e-30, 1, NULL,
     "", "with lm: probability of the grammar or the word list beside it"},
    {"grammar-place", SN_OPT_ENUM, AT(grammar_place), 0, 0, 1,
     "anywhere|sentence", "",
     "with lm: the grammar's sentences are phrases between the model's words, "
     "or whole utterances"},
    {"keep-going", SN_OPT_BOOL, AT(keep_going), 0, 0, 1, NULL, "",
     "leave out words without a pronunciation instead of refusing"},
    {"cache", SN_OPT_STRING, AT(cache), 0, 0, 0, "", "",
     "folder that keeps compiled graphs for the next time; else none is kept"},
    {"temp", SN_OPT_STRING, AT(temp), 0, 0, 0, "/tmp", "",
     "folder for a compiled graph that is not kept"},
    {"beam", SN_OPT_FLOAT, AT(beam), 0, 0, 1e30, NULL, "graph cost",
     "drop paths this much worse than the best: wider is slower and makes "
     "fewer search errors; 0: as the model says"},
    {"max-active", SN_OPT_INT, AT(max_active), 0, 0, 100000000, NULL, "paths",
     "kept a frame at most; 0: as the model says"},
    {"min-active", SN_OPT_INT, AT(min_active), 0, 0, 100000000, NULL, "paths",
     "kept a frame even outside the beam; 0: as the model says"},
    {"lm-scale", SN_OPT_DOUBLE, AT(lm_scale), 0, 0, 1000, NULL, "",
     "weight of the language model against acoustics; 0: as the graph says"},
    {"rescore-lm", SN_OPT_STRING, AT(rescore_lm), 0, 0, 0, "", "",
     "language model for a second pass over the lattice of the first; none: no "
     "second pass; else as the model says"},
    {"graph-lm", SN_OPT_STRING, AT(graph_lm), 0, 0, 0, "", "",
     "with rescore-lm: the language model that graph was made from; else as "
     "the "
     "model says, or lm"},
    {"lattice-beam", SN_OPT_FLOAT, AT(lattice_beam), 0, 0, 1e30, NULL,
     "graph cost",
     "paths this much worse than the best stand in the lattice; 0: as the "
     "model says"},
    {"lattice-stretch", SN_OPT_INT, AT(lattice_stretch), 0, 0, 100000000, NULL,
     "frames",
     "a lattice is finished, rescored and answered in stretches of about this "
     "length; 0: as the model says"},
    {"keep-lattice", SN_OPT_BOOL, AT(keep_lattice), 0, 0, 1, NULL, "",
     "make a lattice of each utterance even where no other option needs one"},
    {"mbr", SN_OPT_BOOL, AT(mbr), 0, 0, 1, NULL, "",
     "answer with the words of least expected error instead of the best path"},
    {"confidence", SN_OPT_ENUM, AT(confidence), SN_SETTINGS_CONFIDENCE_AUTO, 0,
     3, "auto|no|yes|posterior", "",
     "probability that a word is right; auto: where a lattice is made anyway; "
     "posterior: what the lattice says, without the model's calibration"},
    {"alternatives", SN_OPT_INT, AT(alternatives), 0, 0, 1000, NULL, "words",
     "other words that may have been said in a word's place, at most"},
    {"nbest", SN_OPT_INT, AT(nbest), 0, 0, 100000, NULL, "sentences",
     "best word sequences of the utterance, at most"},
    {"observe", SN_OPT_BOOL, AT(observe), 0, 0, 1, NULL, "",
     "keep of each utterance what adaptation to its speaker needs"},
    {"cmn", SN_OPT_ENUM, AT(cmn), SN_SETTINGS_CMN_AUTO, 0, 2, "auto|batch|live",
     "",
     "cepstral mean over the whole utterance (batch) or running (live); auto: "
     "batch for files, live for streams"},
    {"endpoint-pause", SN_OPT_DOUBLE, AT(endpoint_pause_s), 0.8, 0.1, 3600,
     NULL, "s", "silence after words that ends an utterance"},
    {"endpoint-silence", SN_OPT_DOUBLE, AT(endpoint_silence_s), 5, 0.1, 3600,
     NULL, "s", "silence without any words that ends an utterance"},
    {"endpoint-length", SN_OPT_DOUBLE, AT(endpoint_length_s), 30, 1, 86400,
     NULL, "s",
     "length beyond which a quarter of endpoint-pause ends an utterance"},
    SN_OPT_END};

/* The public names are the project's own codes. */
_Static_assert((int)SENONE_OK == (int)SN_OK, "status");
_Static_assert((int)SENONE_ENOMEM == (int)SN_ENOMEM, "status");
_Static_assert((int)SENONE_EARG == (int)SN_EARG, "status");
_Static_assert((int)SENONE_EIO == (int)SN_EIO, "status");
_Static_assert((int)SENONE_EFORMAT == (int)SN_EFORMAT, "status");
_Static_assert((int)SENONE_EMISMATCH == (int)SN_EMISMATCH, "status");
_Static_assert((int)SENONE_ELIMIT == (int)SN_ELIMIT, "status");
_Static_assert((int)SENONE_EEXTERNAL == (int)SN_EEXTERNAL, "status");
_Static_assert((int)SENONE_ECANCEL == (int)SN_ECANCEL, "status");
_Static_assert((int)SENONE_LOG_DEBUG == (int)SN_LOG_DEBUG, "log level");

senone_status sni_report(const sn_err *from, sn_status s, senone_error *to) {
  if (s != SN_OK && to != NULL && to->status == SENONE_OK) {
    to->status = (int32_t)s;
    _Static_assert(sizeof to->message == sizeof from->msg, "message");
    const char *const text =
        from->code != SN_OK ? from->msg : sn_status_text(s);
    memset(to->message, 0, sizeof to->message);
    memcpy(to->message, text, strnlen(text, sizeof to->message - 1));
  }
  return (senone_status)s;
}

const char *senone_version(void) { return SENONE_VERSION; }

senone_status senone_options_create(senone_options **out, senone_error *error) {
  *out = NULL;
  sn_err err = {0};
  senone_options *const o = sn_calloc(1, sizeof *o);
  if (o == NULL) return sni_report(&err, sn_fail_nomem(&err, "options"), error);
  sn_opt_defaults(sn_settings_table, &o->settings);
  *out = o;
  return SENONE_OK;
}

void senone_options_destroy(senone_options *o) {
  if (o == NULL) return;
  for (size_t i = 0; i < SNI_MAX_SETTINGS; i++) sn_free(o->texts[i]);
  sn_free(o);
}

const char *senone_options_name(size_t i) {
  for (size_t k = 0; sn_settings_table[k].name != NULL; k++)
    if (k == i) return sn_settings_table[k].name;
  return NULL;
}

static sn_status set_option(senone_options *o, const char *name,
                            const char *value, sn_err *err) {
  const sn_opt *const opt = sn_opt_find(sn_settings_table, name);
  if (opt == NULL || opt->type != SN_OPT_STRING)
    return sn_opt_set(sn_settings_table, &o->settings, name, value, err);
  /* A string's pointer is kept, so the text must be ours. */
  const size_t i = (size_t)(opt - sn_settings_table);
  SN_ASSERT(i < SNI_MAX_SETTINGS);
  char *const copy = sn_strdup(value);
  if (copy == NULL) return sn_fail_nomem(err, "options");
  const sn_status s =
      sn_opt_set(sn_settings_table, &o->settings, name, copy, err);
  sn_free(s == SN_OK ? o->texts[i] : copy);
  if (s == SN_OK) o->texts[i] = copy;
  return s;
}

senone_status senone_options_set(senone_options *o, const char *name,
                                 const char *value, senone_error *error) {
  sn_err err = {0};
  return sni_report(&err, set_option(o, name, value, &err), error);
}

void senone_options_set_callbacks(senone_options *o, senone_log_fn *log,
                                  senone_log_level level,
                                  senone_progress_fn *progress,
                                  senone_poll_fn *poll, void *user) {
  o->callbacks = (sni_callbacks){log, progress, poll, user, level};
}
