/* SPDX-License-Identifier: Apache-2.0 */
/* Help texts, man pages and shell completion, all made from the tables. */
#include <string.h>

#include "base/str.h"
#include "cli/cli_internal.h"

static const sn_opt *table_at(const sn_command *c, size_t i) {
  const size_t n = sni_command_n_tables(c);
  return i < n ? c->tables[i].table : i == n ? sni_cli_global_table : NULL;
}

/* "--beam=13" or "--help" */
static sn_status add_usage(const sn_command *c, const sn_opt *o, sn_str *out,
                           sn_err *err) {
  const char letter = sni_command_short(c, o->name);
  if (letter != 0) SN_TRY(sn_str_addf(out, err, "-%c, ", letter));
  SN_TRY(sn_str_addf(out, err, "--%s", o->name));
  const char *const unit = o->unit != NULL ? o->unit : "";
  switch (o->type) {
    case SN_OPT_BOOL:
      return o->deflt > 0 ? sn_str_adds(out, "=no", err) : SN_OK;
    case SN_OPT_STRING:
      SN_TRY(sn_str_addf(out, err, "=%s", *unit ? unit : "TEXT"));
      return o->text != NULL && *o->text != '\0'
                 ? sn_str_addf(out, err, " (default %s)", o->text)
                 : SN_OK;
    case SN_OPT_ENUM:
      return sn_str_addf(out, err, "=%s", o->text);
    case SN_OPT_FLOAT:
    case SN_OPT_DOUBLE:
    case SN_OPT_INT:
    case SN_OPT_SIZE:
      break;
  }
  return sn_str_addf(out, err, "=%g (%g to %g%s%s)", o->deflt, o->min, o->max,
                     *unit ? " " : "", unit);
}

/* Adds text wrapped to 78 columns behind `indent` blanks. */
static sn_status add_wrapped(const char *text, size_t indent, sn_str *out,
                             sn_err *err) {
  size_t column = 0;
  for (const char *p = text; *p != '\0';) {
    if (*p == '\n') { /* an empty line ends a paragraph */
      p++;
      if (*p == '\n') {
        SN_TRY(sn_str_adds(out, column > 0 ? "\n\n" : "\n", err));
        column = 0;
        while (*p == '\n') p++;
      }
      continue;
    }
    if (*p == ' ') {
      p++;
      continue;
    }
    const size_t n = strcspn(p, " \n");
    if (column > 0 && column + 1 + n > 78) {
      SN_TRY(sn_str_adds(out, "\n", err));
      column = 0;
    }
    if (column == 0) {
      SN_TRY(sn_str_addf(out, err, "%*s", (int)indent, ""));
      column = indent;
    } else {
      SN_TRY(sn_str_adds(out, " ", err));
      column++;
    }
    SN_TRY(sn_str_add(out, p, n, err));
    column += n;
    p += n;
  }
  return column > 0 ? sn_str_adds(out, "\n", err) : SN_OK;
}

sn_status sni_help_command(const sn_command *c, sn_str *out, sn_err *err) {
  /* A summary begins small, for lists; here it is a sentence. */
  const char first = c->summary[0] >= 'a' && c->summary[0] <= 'z'
                         ? (char)(c->summary[0] - 'a' + 'A')
                         : c->summary[0];
  SN_TRY(sn_str_addf(out, err, "usage: senone %s %s\n\n%c%s.\n", c->name,
                     c->synopsis, first, c->summary + 1));
  if (c->description != NULL) {
    SN_TRY(sn_str_adds(out, "\n", err));
    SN_TRY(add_wrapped(c->description, 0, out, err));
  }
  SN_TRY(sn_str_adds(out, "\nOptions:\n", err));
  for (size_t i = 0; table_at(c, i) != NULL; i++)
    for (const sn_opt *o = table_at(c, i); o->name != NULL; o++) {
      SN_TRY(sn_str_adds(out, "  ", err));
      SN_TRY(add_usage(c, o, out, err));
      SN_TRY(sn_str_adds(out, "\n", err));
      SN_TRY(add_wrapped(o->help, 6, out, err));
    }
  SN_TRY(sn_str_addf(out, err, "\nExample:\n"));
  sn_span rest = sn_span_of(c->example), line;
  while (sn_next_field_sep(&rest, '\n', &line))
    SN_TRY(sn_str_addf(out, err, "  %.*s\n", (int)line.n, line.p));
  return SN_OK;
}

bool sni_is_noun(const char *word) {
  const size_t n = strlen(word);
  for (size_t i = 0; sni_commands[i] != NULL; i++)
    if (strncmp(sni_commands[i]->name, word, n) == 0 &&
        sni_commands[i]->name[n] == ' ')
      return true;
  return false;
}

sn_status sni_help_list(const char *noun, sn_str *out, sn_err *err) {
  const size_t n = noun != NULL ? strlen(noun) : 0;
  if (noun == NULL)
    SN_TRY(sn_str_adds(out,
                       "usage: senone COMMAND [--option=value ...] ...\n\n"
                       "Speech recognition with weighted finite-state graphs."
                       "\n\nCommands:\n",
                       err));
  else
    SN_TRY(sn_str_addf(out, err,
                       "usage: senone %s VERB [--option=value ...] ...\n\n"
                       "Commands:\n",
                       noun));
  for (size_t i = 0; sni_commands[i] != NULL; i++) {
    const char *const name = sni_commands[i]->name;
    if (noun != NULL && (strncmp(name, noun, n) != 0 || name[n] != ' '))
      continue;
    SN_TRY(
        sn_str_addf(out, err, "  %-18s %s\n", name, sni_commands[i]->summary));
  }
  return sn_str_adds(
      out,
      "\nsenone COMMAND --help tells a command's options and gives an "
      "example.\n",
      err);
}

/* ---- man pages (troff, man(7)) ---- */

static sn_status add_troff(const char *text, sn_str *out, sn_err *err) {
  bool at_start = true;
  for (const char *p = text; *p != '\0'; p++) {
    if (at_start && (*p == '.' || *p == '\''))
      SN_TRY(sn_str_adds(out, "\\&", err));
    if (*p == '\\')
      SN_TRY(sn_str_adds(out, "\\e", err));
    else if (*p == '-')
      SN_TRY(sn_str_adds(out, "\\-", err));
    else if (*p == '\n' && p[1] == '\n')
      SN_TRY(sn_str_adds(out, "\n.PP", err));
    else
      SN_TRY(sn_str_add(out, p, 1, err));
    at_start = *p == '\n';
  }
  return SN_OK;
}

static sn_status add_title(const char *dashed, sn_str *out, sn_err *err) {
  return sn_str_addf(out, err,
                     ".TH %s 1 \"\" \"senone %s\" \"Senone\"\n.SH NAME\n",
                     dashed, SENONE_VERSION);
}

sn_status sni_help_man(const sn_command *c, sn_str *out, sn_err *err) {
  char dashed[80] = "senone-";
  size_t n = strlen(dashed);
  for (const char *p = c->name; *p != '\0' && n + 1 < sizeof dashed; p++)
    dashed[n++] = *p == ' ' ? '-' : *p;
  dashed[n] = '\0';
  SN_TRY(add_title(dashed, out, err));
  SN_TRY(add_troff(dashed, out, err));
  SN_TRY(sn_str_addf(out, err, " \\- %s\n.SH SYNOPSIS\n.B senone %s\n",
                     c->summary, c->name));
  SN_TRY(add_troff(c->synopsis, out, err));
  SN_TRY(sn_str_adds(out, "\n.SH DESCRIPTION\n", err));
  SN_TRY(add_troff(c->description != NULL ? c->description : c->summary, out,
                   err));
  SN_TRY(sn_str_adds(out, "\n.SH OPTIONS\n", err));
  for (size_t i = 0; table_at(c, i) != NULL; i++)
    for (const sn_opt *o = table_at(c, i); o->name != NULL; o++) {
      sn_str usage = {0};
      sn_status s = sn_str_adds(out, ".TP\n.B ", err);
      if (s == SN_OK) s = add_usage(c, o, &usage, err);
      if (s == SN_OK) s = add_troff(sn_str_get(&usage), out, err);
      if (s == SN_OK) s = sn_str_adds(out, "\n", err);
      if (s == SN_OK) s = add_troff(o->help, out, err);
      if (s == SN_OK) s = sn_str_adds(out, "\n", err);
      sn_str_clear(&usage);
      if (s != SN_OK) return s;
    }
  SN_TRY(sn_str_adds(out, ".SH EXAMPLE\n.nf\n", err));
  SN_TRY(add_troff(c->example, out, err));
  return sn_str_adds(out,
                     "\n.fi\n.SH EXIT STATUS\n0 all good, 1 some input failed, "
                     "2 wrong usage.\n.SH SEE ALSO\n.BR senone (1)\n",
                     err);
}

sn_status sni_help_man_main(sn_str *out, sn_err *err) {
  SN_TRY(add_title("senone", out, err));
  SN_TRY(sn_str_adds(out,
                     "senone \\- speech recognition with weighted finite-state "
                     "graphs\n.SH SYNOPSIS\n.B senone\nCOMMAND "
                     "[\\-\\-option=value ...] ...\n.SH COMMANDS\n",
                     err));
  for (size_t i = 0; sni_commands[i] != NULL; i++)
    SN_TRY(sn_str_addf(out, err, ".TP\n.B %s\n%s\n", sni_commands[i]->name,
                       sni_commands[i]->summary));
  return SN_OK;
}

/* ---- bash completion (zsh reads it through bashcompinit) ---- */

sn_status sni_help_bash(sn_str *out, sn_err *err) {
  SN_TRY(sn_str_adds(out,
                     "# Completion for senone; for bash, or zsh after "
                     "'autoload bashcompinit; bashcompinit'.\n"
                     "_senone() {\n"
                     "  local cur=${COMP_WORDS[COMP_CWORD]} words=\n"
                     "  local one=${COMP_WORDS[1]-} two=${COMP_WORDS[2]-}\n"
                     "  if [ \"$COMP_CWORD\" = 1 ]; then\n    words=\"",
                     err));
  const char *last = "";
  for (size_t i = 0; sni_commands[i] != NULL; i++) {
    const char *const name = sni_commands[i]->name;
    const size_t n = strcspn(name, " ");
    if (strncmp(last, name, n) == 0 && (last[n] == ' ' || last[n] == '\0'))
      continue;
    SN_TRY(sn_str_addf(out, err, "%.*s ", (int)n, name));
    last = name;
  }
  SN_TRY(sn_str_adds(out, "\"\n  else\n    case \"$one $two\" in\n", err));
  for (size_t i = 0; sni_commands[i] != NULL; i++) {
    const sn_command *const c = sni_commands[i];
    const bool two = strchr(c->name, ' ') != NULL;
    SN_TRY(sn_str_addf(out, err, "      \"%s\"%s) words=\"", c->name,
                       two ? "" : "*"));
    for (size_t k = 0; table_at(c, k) != NULL; k++)
      for (const sn_opt *o = table_at(c, k); o->name != NULL; o++)
        SN_TRY(sn_str_addf(out, err, "--%s%s ", o->name,
                           o->type == SN_OPT_BOOL ? "" : "="));
    SN_TRY(sn_str_adds(out, "\" ;;\n", err));
  }
  /* the second words of commands with two */
  SN_TRY(sn_str_adds(out,
                     "    esac\n    if [ \"$COMP_CWORD\" = 2 ]; then\n"
                     "      case \"$one\" in\n",
                     err));
  for (size_t i = 0; sni_commands[i] != NULL; i++) {
    const char *const name = sni_commands[i]->name;
    const size_t n = strcspn(name, " ");
    if (name[n] == '\0') continue;
    if (i > 0 && strncmp(sni_commands[i - 1]->name, name, n + 1) == 0) continue;
    SN_TRY(sn_str_addf(out, err, "        %.*s) words=\"", (int)n, name));
    for (size_t k = i; sni_commands[k] != NULL; k++)
      if (strncmp(sni_commands[k]->name, name, n + 1) == 0)
        SN_TRY(sn_str_addf(out, err, "%s ", sni_commands[k]->name + n + 1));
    SN_TRY(sn_str_adds(out, "\" ;;\n", err));
  }
  return sn_str_adds(out,
                     "      esac\n    fi\n  fi\n"
                     "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                     "  [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
                     "  return 0\n}\n"
                     "complete -o default -o bashdefault -F _senone senone\n",
                     err);
}
