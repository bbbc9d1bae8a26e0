/* The store's catalogue.
 *
 * A writer keeps the file in WAL mode: commits cost no wait for the disk, survive kill -9, and
 * readers see whole transactions without blocking anyone.  A writer that ends in order turns WAL
 * off again, so that the folder can be read where nothing may be written: WAL needs two more files
 * beside the catalogue.  A reader that cannot make those asks SQLite to take the file as it is.
 *
 * WAL also needs memory that processes share through a mapped file, which some network and FUSE
 * file systems do not give.  There the writer keeps SQLite's older rollback journal: commits wait
 * for the disk, and readers and the writer wait for each other, for moments.
 *
 * SQLite would make its files 0644 at most, whatever the umask; the others copy the catalogue's
 * mode, so that is made here.
 *
 * The file may come from a stranger or a failing disk: triggers, views and application functions in
 * its schema are off, and every value is checked for type and range as it is read. */
#include "features/catalog.h"

#include "base/file.h"
#include "base/memory.h"
#include "features/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { APPLICATION = 0x70696161 /* "piaa" */, SCHEMA = 1, PATIENCE_MS = 5000 };

static const char *const schema_sql =
    "CREATE TABLE meta(key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE slots(slot INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, dim INTEGER NOT NULL);"
    "CREATE TABLE vectors(row INTEGER PRIMARY KEY, hash TEXT UNIQUE NOT NULL, slots BLOB NOT NULL, "
    "checksum INTEGER NOT NULL,"
    " batch INTEGER NOT NULL, damage TEXT, note TEXT);"
    "CREATE TABLE photos(path TEXT PRIMARY KEY NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER "
    "NOT NULL, hash TEXT, row INTEGER,"
    " error TEXT, ctime_ns INTEGER, inode INTEGER) WITHOUT ROWID;";

/* What the first stores lack. */
static const struct {
    const char *table, *column, *type;
} later_columns[] = {{"vectors", "damage", "TEXT"},
                     {"vectors", "note", "TEXT"},
                     {"photos", "ctime_ns", "INTEGER"},
                     {"photos", "inode", "INTEGER"}};

enum {
    BEGIN,
    COMMIT,
    SET_META,
    ADD_SLOT,
    INSERT_ROW,
    UPDATE_ROW,
    SET_MARKS,
    SET_PHOTO,
    SET_TIMES,
    RETRY,
    FORGET_PHOTO,
    FIND_PHOTO,
    FIND_ROW,
    FIND_HASH,
    COUNT_ROWS,
    COUNT_PHOTOS,
    EACH_META,
    EACH_SLOT,
    EACH_ROW,
    EACH_CONTENT,
    EACH_PHOTO,
    TEXTS_AFTER,
    BLOBS_AFTER,
    EACH_FIRST_PHOTO, /* of a store without the later columns */
    FIRST_TEXTS_AFTER,
    FIRST_BLOBS_AFTER,
    STATEMENTS
};

#define PHOTOS                                                                                     \
    "SELECT p.path, p.size, p.mtime_ns, p.hash, p.row, p.error, p.ctime_ns, p.inode, v.damage, "   \
    "v.note FROM photos AS p LEFT JOIN vectors AS v ON v.row = p.row"
#define FIRST_PHOTOS                                                                               \
    "SELECT p.path, p.size, p.mtime_ns, p.hash, p.row, p.error, NULL, NULL, NULL, NULL "           \
    "FROM photos AS p"
/* Every text comes before every blob. */
#define TEXTS " WHERE p.path > ?1 AND p.path < x'' ORDER BY p.path LIMIT ?2"
#define BLOBS " WHERE p.path > ?1 AND p.path >= x'' ORDER BY p.path LIMIT ?2"

static const char *const statement_sql[STATEMENTS] = {
    [BEGIN] = "BEGIN",
    [COMMIT] = "COMMIT",
    [SET_META] = "INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)",
    [ADD_SLOT] = "INSERT INTO slots(slot, name, dim) VALUES(?1, ?2, ?3)",
    [INSERT_ROW] =
        "INSERT INTO vectors(row, slots, checksum, batch, hash) VALUES(?1, ?2, ?3, ?4, ?5)",
    [UPDATE_ROW] = "UPDATE vectors SET slots = ?2, checksum = ?3, batch = ?4 WHERE row = ?1",
    [SET_MARKS] = "UPDATE vectors SET damage = ?2, note = ?3 WHERE row = ?1",
    [SET_PHOTO] =
        "INSERT OR REPLACE INTO photos(path, size, mtime_ns, hash, row, error, ctime_ns, inode) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [SET_TIMES] = "UPDATE photos SET ctime_ns = ?2, inode = ?3 WHERE path = ?1",
    [RETRY] = "UPDATE photos SET mtime_ns = 0, ctime_ns = NULL WHERE error IS NOT NULL",
    [FORGET_PHOTO] = "DELETE FROM photos WHERE path = ?1",
    [FIND_PHOTO] = PHOTOS " WHERE p.path = ?1",
    [FIND_ROW] = "SELECT row, slots, checksum, batch FROM vectors WHERE row = ?1",
    [FIND_HASH] = "SELECT row, slots, checksum, batch FROM vectors WHERE hash = ?1",
    [COUNT_ROWS] = "SELECT count(*), coalesce(min(row), 0), coalesce(max(row), -1) FROM vectors",
    [COUNT_PHOTOS] = "SELECT count(*) FROM photos",
    [EACH_META] = "SELECT key, value FROM meta",
    [EACH_SLOT] = "SELECT slot, name, dim FROM slots ORDER BY slot",
    [EACH_ROW] = "SELECT row, slots, checksum, batch FROM vectors WHERE row >= ?1 OR batch > ?2 "
                 "ORDER BY row",
    [EACH_CONTENT] = "SELECT row, slots, checksum, batch, hash FROM vectors ORDER BY hash",
    [EACH_PHOTO] = PHOTOS,
    [TEXTS_AFTER] = PHOTOS TEXTS,
    [BLOBS_AFTER] = PHOTOS BLOBS,
    [EACH_FIRST_PHOTO] = FIRST_PHOTOS,
    [FIRST_TEXTS_AFTER] = FIRST_PHOTOS TEXTS,
    [FIRST_BLOBS_AFTER] = FIRST_PHOTOS BLOBS,
};

struct piaa_catalog {
    sqlite3 *db;
    char *path;
    bool writing;
    bool first; /* read as it was made by a first version: without the later columns */
    int waits;  /* whether commits wait for the disk: 1, 0, -1 not said yet */
    sqlite3_stmt *statements[STATEMENTS];
};

bool piaa_catalog_owns(const char *name) {
    static const char *const names[] = {"catalog.sqlite", "catalog.sqlite-wal",
                                        "catalog.sqlite-shm", "catalog.sqlite-journal"};
    for (size_t i = 0; i < PIAA_COUNT(names); i++)
        if (!strcmp(name, names[i])) return true;
    return false;
}

/* --------------------------------------------------------------------------------------- errors */

bool piaa_catalog_damaged(const piaa_catalog *c, piaa_error *error) {
    return piaa_error_set(error, PIAA_FORMAT,
                          "%s is damaged: put a copy of it back, or delete the store's folder and "
                          "run piaa embed again to make it anew",
                          c->path);
}

static bool sql_error(piaa_catalog *c, piaa_error *error) {
    int number = sqlite3_system_errno(c->db);
    switch (sqlite3_errcode(c->db)) {
    case SQLITE_FULL:
        return piaa_disk_full(error, c->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
        return piaa_catalog_damaged(c, error);
    case SQLITE_NOMEM:
        return piaa_error_set(error, PIAA_MEMORY, "out of memory while reading %s", c->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return piaa_error_set(
            error, PIAA_BUSY,
            "another program keeps %s locked: close it there, then run the same command again",
            c->path);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        if (number == ENOSPC || number == EDQUOT) return piaa_disk_full(error, c->path);
        if (number)
            return piaa_error_set_errno(error, number,
                                        c->writing ? "cannot write %s" : "cannot read %s", c->path);
        return piaa_error_set(error, PIAA_IO, "cannot %s %s: %s", c->writing ? "write" : "read",
                              c->path, sqlite3_errmsg(c->db));
    default:
        return piaa_error_set(error, PIAA_FORMAT, "%s: %s", c->path, sqlite3_errmsg(c->db));
    }
}

/* ----------------------------------------------------------------------------------- statements */

static bool run_sql(piaa_catalog *c, const char *sql, piaa_error *error) {
    return sqlite3_exec(c->db, sql, NULL, NULL, NULL) == SQLITE_OK || sql_error(c, error);
}

/* A prepared statement, ready to be bound; NULL and an error where the tables are not as they
   should be. */
static sqlite3_stmt *ready(piaa_catalog *c, int which, piaa_error *error) {
    sqlite3_stmt **s = &c->statements[which];
    if (!*s && sqlite3_prepare_v3(c->db, statement_sql[which], -1, SQLITE_PREPARE_PERSISTENT, s,
                                  NULL) != SQLITE_OK) {
        /* "no such table": somebody else's file, or a damaged one. */
        if (sqlite3_errcode(c->db) == SQLITE_ERROR)
            piaa_catalog_damaged(c, error);
        else
            sql_error(c, error);
        return NULL;
    }
    sqlite3_reset(*s);
    return *s;
}

static bool finish(piaa_catalog *c, sqlite3_stmt *s, piaa_error *error) {
    bool ok = sqlite3_step(s) == SQLITE_DONE || sql_error(c, error);
    sqlite3_reset(s);
    return ok;
}

/* Leads of UTF-8 sequences and how many bytes follow; overlong forms and surrogates count as not
   UTF-8. */
static bool is_utf8(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        int follow = *at < 0x80                  ? 0
                     : *at >= 0xc2 && *at < 0xe0 ? 1
                     : *at >= 0xe0 && *at < 0xf0 ? 2
                     : *at >= 0xf0 && *at < 0xf5 ? 3
                                                 : -1;
        if (follow < 0) return false;
        if (follow && (at[1] & 0xc0) != 0x80) return false;
        if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
            (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
            return false;
        for (int i = 2; i <= follow; i++)
            if ((at[i] & 0xc0) != 0x80) return false;
        at += follow + 1;
    }
    return true;
}

static void bind_path(sqlite3_stmt *s, int at, const char *path) {
    if (is_utf8(path))
        sqlite3_bind_text(s, at, path, -1, SQLITE_TRANSIENT);
    else
        sqlite3_bind_blob(s, at, path, (int)strlen(path), SQLITE_TRANSIENT);
}

/* NULL text binds NULL. */
static void bind_text(sqlite3_stmt *s, int at, const char *text) {
    sqlite3_bind_text(s, at, text, -1, SQLITE_TRANSIENT);
}

/* -------------------------------------------------------------------------- opening and closing */

static int pragma_value(piaa_catalog *c, const char *sql, int64_t *out) {
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(c->db, sql, -1, &s, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        *out = sqlite3_column_int64(s, 0);
        code = SQLITE_OK;
    }
    sqlite3_finalize(s);
    return code;
}

/* The check tells of a page that could not be read now in the same words as of a bad one: "Page 7:
   unable to get the page. error code=266". */
static bool check_passed_over(const char *answer) {
    const char *code = strstr(answer, "error code=");
    long number = code ? strtol(code + strlen("error code="), NULL, 10) : 0;
    return (number & 0xff) == SQLITE_NOMEM ||
           ((number & 0xff) == SQLITE_IOERR && number != SQLITE_IOERR_SHORT_READ);
}

static bool judge(piaa_catalog *c, const char *answer, piaa_error *error) {
    if (answer && !strcmp(answer, "ok")) return true;
    if (answer && check_passed_over(answer))
        return piaa_error_set(error, PIAA_IO, "cannot read all of %s: run the same command again",
                              c->path);
    return piaa_catalog_damaged(c, error);
}

/* SQLite's own consistency check; it also finds indices that disagree with their tables. */
static bool is_sound(piaa_catalog *c, piaa_error *error) {
    sqlite3_stmt *s = NULL;
    bool ok = sqlite3_prepare_v2(c->db, "PRAGMA quick_check(1)", -1, &s, NULL) == SQLITE_OK &&
              sqlite3_step(s) == SQLITE_ROW;
    if (ok)
        ok = judge(c, (const char *)sqlite3_column_text(s, 0), error);
    else
        sql_error(c, error);
    sqlite3_finalize(s);
    return ok;
}

/* "file://" with everything outside plain names escaped, and SQLite told that nobody changes the
   file.  Two slashes, since a path may begin with two: SQLite would take what follows them for a
   host. */
static char *immutable_uri(const char *path, piaa_error *error) {
    piaa_text uri = {0};
    bool ok = piaa_text_format(&uri, error, path[0] == '/' ? "file://" : "file:");
    for (const char *c = path; ok && *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("/._-", *c);
        ok = piaa_text_format(&uri, error, plain ? "%c" : "%%%02X", (unsigned char)*c);
    }
    if (ok && piaa_text_format(&uri, error, "?immutable=1")) return uri.data;
    free(uri.data);
    return NULL;
}

static bool connect(piaa_catalog *c, const char *name, int flags, piaa_error *error) {
    sqlite3_close(c->db);
    c->db = NULL;
    if (sqlite3_open_v2(name, &c->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return c->db
                   ? sql_error(c, error)
                   : piaa_error_set(error, PIAA_MEMORY, "out of memory while opening %s", c->path);
    sqlite3_busy_timeout(c->db, PATIENCE_MS);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return true;
}

/* The first reading of the file: here SQLite meets a log or journal that was left behind. */
static int first_look(piaa_catalog *c) {
    int64_t version;
    return pragma_value(c, "PRAGMA user_version", &version);
}

/* What SQLite says where the file system or its permissions stand in the way of the files beside
   the catalogue. */
static bool is_about_files(int code) {
    return code == SQLITE_CANTOPEN || code == SQLITE_READONLY || code == SQLITE_IOERR;
}

/* Takes the catalogue out of WAL mode where there is no shared memory for it: with the file to
   itself SQLite needs none. */
static bool leave_wal(piaa_catalog *c, piaa_error *error) {
    return connect(c, c->path, SQLITE_OPEN_READWRITE, error) &&
           run_sql(c,
                   "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE;"
                   "PRAGMA locking_mode = NORMAL; SELECT count(*) FROM sqlite_master",
                   error);
}

static bool holds_bytes(const char *path, const char *ending) {
    char *name = piaa_format(NULL, "%s%s", path, ending);
    struct stat info;
    bool holds = !name || (stat(name, &info) == 0 && info.st_size > 0);
    free(name);
    return holds;
}

/* A reader of a catalogue that a stopped run left in WAL mode or with a journal to roll back, and
   the files that this takes may not be written, or (in WAL mode) not be shared. */
static bool read_leftover(piaa_catalog *c, const char *folder, piaa_error *error) {
    if (access(folder, W_OK) == 0 && access(c->path, W_OK) == 0) {
        if (connect(c, c->path, SQLITE_OPEN_READWRITE, error) && first_look(c) == SQLITE_OK)
            return true;
        piaa_error_clear(error);
        return leave_wal(c, error);
    }
    if (holds_bytes(c->path, "-wal") || holds_bytes(c->path, "-journal"))
        return piaa_error_set(error, PIAA_IO,
                              "%s was left unfinished by a stopped run and %s cannot be written "
                              "in: copy the folder and use the copy",
                              c->path, folder);
    char *uri = immutable_uri(c->path, error);
    bool ok = uri && connect(c, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, error);
    free(uri);
    return ok;
}

static bool connect_to_read(piaa_catalog *c, const char *folder, piaa_error *error) {
    if (!connect(c, c->path, SQLITE_OPEN_READONLY, error)) return false;
    int code = first_look(c);
    if (code == SQLITE_OK) return true;
    return is_about_files(code) ? read_leftover(c, folder, error) : sql_error(c, error);
}

static bool make_tables(piaa_catalog *c, piaa_error *error) {
    char sql[96];
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION,
             SCHEMA);
    return piaa_catalog_begin(c, true, error) && run_sql(c, schema_sql, error) &&
           run_sql(c, sql, error);
}

/* Whether the column is there: 1, 0, -1 an error. */
static int has_column(piaa_catalog *c, const char *table, const char *column, piaa_error *error) {
    char sql[128];
    int64_t count = 0;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM pragma_table_info('%s') WHERE name = '%s'",
             table, column);
    if (pragma_value(c, sql, &count) == SQLITE_OK) return count > 0;
    sql_error(c, error);
    return -1;
}

static bool add_columns(piaa_catalog *c, piaa_error *error) {
    if (!piaa_catalog_begin(c, true, error)) return false;
    for (size_t i = 0; i < PIAA_COUNT(later_columns); i++) {
        const char *table = later_columns[i].table, *column = later_columns[i].column;
        int there = has_column(c, table, column, error);
        char sql[96];
        snprintf(sql, sizeof sql, "ALTER TABLE %s ADD COLUMN %s %s", table, column,
                 later_columns[i].type);
        if (there < 0 || (!there && !run_sql(c, sql, error))) {
            piaa_catalog_rollback(c);
            return false;
        }
    }
    return piaa_catalog_commit(c, error);
}

/* Whose file this is, and whether it is from a later piaa.  *empty: a file without tables (a run
   that was stopped as it began). */
static bool check_kind(piaa_catalog *c, const char *folder, bool *empty, piaa_error *error) {
    int64_t application = 0, version = 0, tables = 0;
    if (pragma_value(c, "PRAGMA application_id", &application) != SQLITE_OK ||
        pragma_value(c, "PRAGMA user_version", &version) != SQLITE_OK ||
        pragma_value(c, "SELECT count(*) FROM sqlite_master", &tables) != SQLITE_OK)
        return sql_error(c, error);
    *empty = application == 0 && tables == 0;
    if (!*empty && application != APPLICATION)
        return piaa_error_set(error, PIAA_FORMAT,
                              "%s was not made by piaa, so %s is not a store: use another folder",
                              c->path, folder);
    if (version > SCHEMA)
        return piaa_error_set(
            error, PIAA_UNSUPPORTED,
            "%s was made by a later version of piaa (format %lld, this one knows %d): update piaa",
            folder, (long long)version, SCHEMA);
    return true;
}

static bool connect_to_write(piaa_catalog *c, piaa_error *error) {
    int file = open(c->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) return piaa_disk_error(error, errno, c->path);
    close(file);
    if (!connect(c, c->path, SQLITE_OPEN_READWRITE, error)) return false;
    int code = first_look(c);
    if (code == SQLITE_OK) return true;
    return code == SQLITE_CANTOPEN || code == SQLITE_IOERR ? leave_wal(c, error)
                                                           : sql_error(c, error);
}

/* WAL, or the rollback journal where SQLite cannot have it: a VFS without shared memory leaves the
   mode as it is, one that fails to map it says so with the first reading afterwards. */
static bool choose_journal(piaa_catalog *c, piaa_error *error) {
    int code = sqlite3_exec(c->db, "PRAGMA journal_mode = WAL; SELECT count(*) FROM sqlite_master",
                            NULL, NULL, NULL);
    if (code == SQLITE_OK) return true;
    return code == SQLITE_CANTOPEN || code == SQLITE_IOERR ? leave_wal(c, error)
                                                           : sql_error(c, error);
}

static bool open_to_write(piaa_catalog *c, const char *folder, bool *made, piaa_error *error) {
    if (!connect_to_write(c, error) || !check_kind(c, folder, made, error)) return false;
    if (!*made && !is_sound(c, error)) return false;
    if (!choose_journal(c, error)) return false;
    return *made ? make_tables(c, error) : add_columns(c, error);
}

static bool open_to_read(piaa_catalog *c, const char *folder, piaa_error *error) {
    bool empty = false;
    if (!piaa_file_exists(c->path))
        return piaa_error_set(error, PIAA_IO,
                              "there is no store in %s: make one with piaa embed --out %s", folder,
                              folder);
    if (!connect_to_read(c, folder, error) || !check_kind(c, folder, &empty, error)) return false;
    if (empty)
        return piaa_error_set(
            error, PIAA_FORMAT,
            "the store in %s is empty: delete the folder and run piaa embed again", folder);
    for (size_t i = 0; i < PIAA_COUNT(later_columns); i++) {
        int there = has_column(c, later_columns[i].table, later_columns[i].column, error);
        if (there < 0) return false;
        c->first |= !there;
    }
    return true;
}

/* SQLite takes a name that begins with "file:" for a URI, and ":memory:" for no file at all. */
static char *catalog_path(const char *folder, piaa_error *error) {
    char *path = piaa_path_join(folder, "catalog.sqlite", error);
    if (!path || (path[0] != ':' && strncmp(path, "file:", strlen("file:")) != 0)) return path;
    char *plain = piaa_format(error, "./%s", path);
    free(path);
    return plain;
}

piaa_catalog *piaa_catalog_open(const char *folder, bool write, bool *made, piaa_error *error) {
    piaa_catalog *c = piaa_alloc(1, sizeof *c, error);
    if (!c) return NULL;
    c->writing = write;
    c->waits = -1;
    c->path = catalog_path(folder, error);
    if (c->path && (write ? open_to_write(c, folder, made, error) : open_to_read(c, folder, error)))
        return c;
    piaa_catalog_close(c);
    return NULL;
}

void piaa_catalog_close(piaa_catalog *c) {
    if (!c) return;
    for (int i = 0; i < STATEMENTS; i++) sqlite3_finalize(c->statements[i]);
    if (c->db && c->writing) {
        /* Not worth waiting for: with a reader in the way the catalogue stays in WAL mode, as after
           a kill. */
        sqlite3_busy_timeout(c->db, 0);
        piaa_catalog_rollback(c);
        sqlite3_exec(c->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    }
    sqlite3_close(c->db);
    free(c->path);
    free(c);
}

/* --------------------------------------------------------------------------------- transactions */

bool piaa_catalog_begin(piaa_catalog *c, bool durable, piaa_error *error) {
    if (c->writing && c->waits != durable) {
        if (!run_sql(c, durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
                     error))
            return false;
        c->waits = durable;
    }
    sqlite3_stmt *s = ready(c, BEGIN, error);
    return s && finish(c, s, error);
}

bool piaa_catalog_commit(piaa_catalog *c, piaa_error *error) {
    sqlite3_stmt *s = ready(c, COMMIT, error);
    return s && finish(c, s, error);
}

void piaa_catalog_rollback(piaa_catalog *c) {
    if (!sqlite3_get_autocommit(c->db)) sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
}

/* -------------------------------------------------------------------------------------- writing */

bool piaa_catalog_set_meta(piaa_catalog *c, const char *key, const char *value, piaa_error *error) {
    sqlite3_stmt *s = ready(c, SET_META, error);
    if (!s) return false;
    bind_text(s, 1, key);
    bind_text(s, 2, value);
    return finish(c, s, error);
}

bool piaa_catalog_add_slot(piaa_catalog *c, int slot, const char *name, int dim,
                           piaa_error *error) {
    sqlite3_stmt *s = ready(c, ADD_SLOT, error);
    if (!s) return false;
    sqlite3_bind_int(s, 1, slot);
    bind_text(s, 2, name);
    sqlite3_bind_int(s, 3, dim);
    return finish(c, s, error);
}

static void bind_row(sqlite3_stmt *s, const piaa_catalog_row *row, int slots) {
    sqlite3_bind_int64(s, 1, row->row);
    sqlite3_bind_blob(s, 2, row->slots, (slots + 7) / 8, SQLITE_TRANSIENT);
    sqlite3_bind_int64(s, 3, (int64_t)row->checksum);
    sqlite3_bind_int64(s, 4, row->batch);
}

bool piaa_catalog_insert_row(piaa_catalog *c, const piaa_catalog_row *row, const char *hash,
                             int slots, piaa_error *error) {
    sqlite3_stmt *s = ready(c, INSERT_ROW, error);
    if (!s) return false;
    bind_row(s, row, slots);
    bind_text(s, 5, hash);
    return finish(c, s, error);
}

bool piaa_catalog_update_row(piaa_catalog *c, const piaa_catalog_row *row, int slots,
                             piaa_error *error) {
    sqlite3_stmt *s = ready(c, UPDATE_ROW, error);
    if (!s) return false;
    bind_row(s, row, slots);
    return finish(c, s, error);
}

bool piaa_catalog_set_marks(piaa_catalog *c, int64_t row, const char *damage, const char *note,
                            piaa_error *error) {
    sqlite3_stmt *s = ready(c, SET_MARKS, error);
    if (!s) return false;
    sqlite3_bind_int64(s, 1, row);
    bind_text(s, 2, damage);
    bind_text(s, 3, note);
    return finish(c, s, error);
}

/* 0 (not known) binds NULL. */
static void bind_known(sqlite3_stmt *s, int at, int64_t value) {
    if (value)
        sqlite3_bind_int64(s, at, value);
    else
        sqlite3_bind_null(s, at);
}

bool piaa_catalog_set_photo(piaa_catalog *c, const piaa_photo *photo, piaa_error *error) {
    sqlite3_stmt *s = ready(c, SET_PHOTO, error);
    if (!s) return false;
    bind_path(s, 1, photo->path);
    sqlite3_bind_int64(s, 2, photo->size);
    sqlite3_bind_int64(s, 3, photo->mtime_ns);
    bind_text(s, 4, photo->hash);
    if (photo->row >= 0)
        sqlite3_bind_int64(s, 5, photo->row);
    else
        sqlite3_bind_null(s, 5);
    bind_text(s, 6, photo->error);
    bind_known(s, 7, photo->ctime_ns);
    bind_known(s, 8, photo->inode);
    return finish(c, s, error);
}

bool piaa_catalog_set_times(piaa_catalog *c, const piaa_photo *photo, piaa_error *error) {
    sqlite3_stmt *s = ready(c, SET_TIMES, error);
    if (!s) return false;
    bind_path(s, 1, photo->path);
    bind_known(s, 2, photo->ctime_ns);
    bind_known(s, 3, photo->inode);
    return finish(c, s, error);
}

bool piaa_catalog_retry(piaa_catalog *c, piaa_error *error) {
    sqlite3_stmt *s = ready(c, RETRY, error);
    return s && finish(c, s, error);
}

bool piaa_catalog_forget_photo(piaa_catalog *c, const char *path, piaa_error *error) {
    sqlite3_stmt *s = ready(c, FORGET_PHOTO, error);
    if (!s) return false;
    bind_path(s, 1, path);
    return finish(c, s, error);
}

bool piaa_catalog_clear(piaa_catalog *c, piaa_error *error) {
    return run_sql(c, "DELETE FROM photos; DELETE FROM slots", error);
}

/* -------------------------------------------------------------------------------------- reading */

static bool is_integer(sqlite3_stmt *s, int column) {
    return sqlite3_column_type(s, column) == SQLITE_INTEGER;
}

static bool is_integer_within(sqlite3_stmt *s, int column, int64_t least, int64_t most) {
    return is_integer(s, column) && sqlite3_column_int64(s, column) >= least &&
           sqlite3_column_int64(s, column) <= most;
}

/* Text (or, if allowed, a blob) without a zero byte inside; NULL where it is neither. */
static const char *column_text(sqlite3_stmt *s, int column, bool or_blob) {
    int type = sqlite3_column_type(s, column);
    if (type != SQLITE_TEXT && !(or_blob && type == SQLITE_BLOB)) return NULL;
    /* Of a blob: its bytes and a NUL. */
    const char *text = (const char *)sqlite3_column_text(s, column);
    return text && strlen(text) == (size_t)sqlite3_column_bytes(s, column) ? text : NULL;
}

static bool is_null(sqlite3_stmt *s, int column) {
    return sqlite3_column_type(s, column) == SQLITE_NULL;
}

static bool read_photo(piaa_catalog *c, sqlite3_stmt *s, piaa_photo *out, piaa_error *error) {
    *out = (piaa_photo){.path = column_text(s, 0, true),
                        .hash = column_text(s, 3, false),
                        .row = -1,
                        .error = column_text(s, 5, false),
                        .ctime_ns = sqlite3_column_int64(s, 6),
                        .inode = sqlite3_column_int64(s, 7),
                        .damage = column_text(s, 8, false),
                        .note = column_text(s, 9, false)};
    bool ok = out->path && is_integer(s, 1) && is_integer(s, 2) && (out->hash || is_null(s, 3)) &&
              (out->error || is_null(s, 5)) && (is_integer(s, 6) || is_null(s, 6)) &&
              (is_integer(s, 7) || is_null(s, 7)) && (out->damage || is_null(s, 8)) &&
              (out->note || is_null(s, 9));
    if (ok && !is_null(s, 4)) {
        ok = is_integer_within(s, 4, 0, INT64_MAX);
        out->row = sqlite3_column_int64(s, 4);
    }
    out->size = sqlite3_column_int64(s, 1);
    out->mtime_ns = sqlite3_column_int64(s, 2);
    return ok || piaa_catalog_damaged(c, error);
}

static bool read_row(piaa_catalog *c, sqlite3_stmt *s, piaa_catalog_row *out, piaa_error *error) {
    int bytes = sqlite3_column_bytes(s, 1);
    if (!is_integer_within(s, 0, 0, INT64_MAX) || sqlite3_column_type(s, 1) != SQLITE_BLOB ||
        bytes > PIAA_SLOT_BYTES || !is_integer(s, 2) || !is_integer_within(s, 3, 0, INT64_MAX))
        return piaa_catalog_damaged(c, error);
    *out = (piaa_catalog_row){.row = sqlite3_column_int64(s, 0),
                              .checksum = (uint64_t)sqlite3_column_int64(s, 2),
                              .batch = sqlite3_column_int64(s, 3)};
    if (bytes) memcpy(out->slots, sqlite3_column_blob(s, 1), (size_t)bytes);
    return true;
}

int piaa_catalog_find_photo(piaa_catalog *c, const char *path, piaa_photo *out, piaa_error *error) {
    sqlite3_stmt *s = ready(c, FIND_PHOTO, error);
    if (!s) return -1;
    bind_path(s, 1, path);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW) return read_photo(c, s, out, error) ? 1 : -1;
    if (code != SQLITE_DONE) sql_error(c, error);
    sqlite3_reset(s);
    return code == SQLITE_DONE ? 0 : -1;
}

void piaa_catalog_release(piaa_catalog *c) {
    sqlite3_reset(c->statements[FIND_PHOTO]);
}

static int find_row(piaa_catalog *c, sqlite3_stmt *s, piaa_catalog_row *out, piaa_error *error) {
    int code = sqlite3_step(s), found = code == SQLITE_ROW ? 1 : code == SQLITE_DONE ? 0 : -1;
    if (found < 0) sql_error(c, error);
    if (found > 0 && !read_row(c, s, out, error)) found = -1;
    sqlite3_reset(s);
    return found;
}

int piaa_catalog_find_row(piaa_catalog *c, int64_t row, piaa_catalog_row *out, piaa_error *error) {
    sqlite3_stmt *s = ready(c, FIND_ROW, error);
    if (!s) return -1;
    sqlite3_bind_int64(s, 1, row);
    return find_row(c, s, out, error);
}

int piaa_catalog_find_hash(piaa_catalog *c, const char *hash, piaa_catalog_row *out,
                           piaa_error *error) {
    sqlite3_stmt *s = ready(c, FIND_HASH, error);
    if (!s) return -1;
    bind_text(s, 1, hash);
    return find_row(c, s, out, error);
}

bool piaa_catalog_count(piaa_catalog *c, int64_t *rows, int64_t *photos, piaa_error *error) {
    sqlite3_stmt *s = ready(c, COUNT_ROWS, error);
    if (!s) return false;
    bool ok = sqlite3_step(s) == SQLITE_ROW || sql_error(c, error);
    if (ok) {
        *rows = sqlite3_column_int64(s, 0);
        ok = (sqlite3_column_int64(s, 1) == 0 && sqlite3_column_int64(s, 2) == *rows - 1) ||
             piaa_catalog_damaged(c, error);
    }
    sqlite3_reset(s);
    if (!ok || !(s = ready(c, COUNT_PHOTOS, error))) return false;
    ok = sqlite3_step(s) == SQLITE_ROW || sql_error(c, error);
    if (ok) *photos = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return ok;
}

/* The end of a walk: `code` is the last step's answer, `ok` what the callback said. */
static bool end_walk(piaa_catalog *c, sqlite3_stmt *s, int code, bool ok, piaa_error *error) {
    if (ok && code != SQLITE_DONE) ok = sql_error(c, error);
    sqlite3_reset(s);
    return ok;
}

bool piaa_catalog_each_meta(piaa_catalog *c,
                            bool (*each)(void *, const char *, const char *, piaa_error *),
                            void *user, piaa_error *error) {
    sqlite3_stmt *s = ready(c, EACH_META, error);
    if (!s) return false;
    int code = SQLITE_DONE;
    bool ok = true;
    while (ok && (code = sqlite3_step(s)) == SQLITE_ROW) {
        const char *key = column_text(s, 0, false), *value = column_text(s, 1, false);
        ok = key && value ? each(user, key, value, error) : piaa_catalog_damaged(c, error);
    }
    return end_walk(c, s, code, ok, error);
}

bool piaa_catalog_each_slot(piaa_catalog *c,
                            bool (*each)(void *, int, const char *, int, piaa_error *), void *user,
                            piaa_error *error) {
    sqlite3_stmt *s = ready(c, EACH_SLOT, error);
    if (!s) return false;
    int code = SQLITE_DONE;
    bool ok = true;
    while (ok && (code = sqlite3_step(s)) == SQLITE_ROW) {
        const char *name = column_text(s, 1, false);
        if (!name || !is_integer_within(s, 0, 0, PIAA_SLOTS_MOST - 1) ||
            !is_integer_within(s, 2, 1, 1 << 24))
            ok = piaa_catalog_damaged(c, error);
        else
            ok = each(user, sqlite3_column_int(s, 0), name, sqlite3_column_int(s, 2), error);
    }
    return end_walk(c, s, code, ok, error);
}

bool piaa_catalog_each_row(piaa_catalog *c, int64_t first, int64_t batch,
                           bool (*each)(void *, const piaa_catalog_row *, piaa_error *), void *user,
                           piaa_error *error) {
    sqlite3_stmt *s = ready(c, EACH_ROW, error);
    if (!s) return false;
    sqlite3_bind_int64(s, 1, first);
    sqlite3_bind_int64(s, 2, batch);
    int code = SQLITE_DONE;
    bool ok = true;
    while (ok && (code = sqlite3_step(s)) == SQLITE_ROW) {
        piaa_catalog_row row;
        ok = read_row(c, s, &row, error) && each(user, &row, error);
    }
    return end_walk(c, s, code, ok, error);
}

bool piaa_catalog_each_content(piaa_catalog *c,
                               bool (*each)(void *, const char *, const piaa_catalog_row *,
                                            piaa_error *),
                               void *user, piaa_error *error) {
    sqlite3_stmt *s = ready(c, EACH_CONTENT, error);
    if (!s) return false;
    int code = SQLITE_DONE;
    bool ok = true;
    while (ok && (code = sqlite3_step(s)) == SQLITE_ROW) {
        piaa_catalog_row row;
        const char *hash = column_text(s, 4, false);
        ok = hash ? read_row(c, s, &row, error) && each(user, hash, &row, error)
                  : piaa_catalog_damaged(c, error);
    }
    return end_walk(c, s, code, ok, error);
}

static bool walk_photos(piaa_catalog *c, sqlite3_stmt *s,
                        bool (*each)(void *, const piaa_photo *, piaa_error *), void *user,
                        piaa_error *error) {
    int code = SQLITE_DONE;
    bool ok = true;
    while (ok && (code = sqlite3_step(s)) == SQLITE_ROW) {
        piaa_photo photo;
        ok = read_photo(c, s, &photo, error) && each(user, &photo, error);
    }
    return end_walk(c, s, code, ok, error);
}

bool piaa_catalog_each_photo(piaa_catalog *c,
                             bool (*each)(void *, const piaa_photo *, piaa_error *), void *user,
                             piaa_error *error) {
    sqlite3_stmt *s = ready(c, c->first ? EACH_FIRST_PHOTO : EACH_PHOTO, error);
    return s && walk_photos(c, s, each, user, error);
}

bool piaa_catalog_photos_after(piaa_catalog *c, const char *after, bool blobs, int most,
                               bool (*each)(void *, const piaa_photo *, piaa_error *), void *user,
                               piaa_error *error) {
    const int which = blobs ? BLOBS_AFTER : TEXTS_AFTER,
              first = blobs ? FIRST_BLOBS_AFTER : FIRST_TEXTS_AFTER;
    sqlite3_stmt *s = ready(c, c->first ? first : which, error);
    if (!s) return false;
    if (blobs)
        sqlite3_bind_blob(s, 1, after, (int)strlen(after), SQLITE_TRANSIENT);
    else
        sqlite3_bind_text(s, 1, after, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int(s, 2, most);
    return walk_photos(c, s, each, user, error);
}
