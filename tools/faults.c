/* faults.c: calls of the C library that fail when they are told to; preloaded before glibc.
 *
 * A program arms some kinds of calls: the n-th one from then on fails, or that one and all later
 * ones. Blocks that are in use are counted always. faults.py builds and drives this file.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOP "_PyEval_EvalFrame"

enum { ALLOCATE = 1, THREAD = 2, OPEN = 4, WRITE = 8, SHORT_WRITE = 16, SYNC = 32, CHMOD = 64,
       RENAME = 128, CLOSE = 256, UNLINK = 512 };

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static unsigned armed; /* kinds */
static long first, last, calls, live;
static int failure;
static void *chain[64]; /* the code that led to the first failure, innermost first */
static int depth, traced;
static size_t least; /* bytes of an allocation that counts */

/* Is this call one that fails? Threads may ask at once: each call has a number of its own. */
static int fails(unsigned kind)
{
    if (!(__atomic_load_n(&armed, __ATOMIC_RELAXED) & kind)) return 0;
    const long call = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    if (call < first || call > last) return 0;
    if (call == first) {
        depth = backtrace(chain, 64);
        if (traced) backtrace_symbols_fd(chain, depth, 2);
    }
    errno = kind == ALLOCATE ? ENOMEM : failure;
    return 1;
}

static int refuses(size_t bytes)
{
    return bytes >= least && fails(ALLOCATE);
}

/* Of allocations, those of so many bytes and more count. */
void faults_arm(unsigned kinds, long n, long count, int error, size_t bytes)
{
    calls = 0;
    least = bytes;
    depth = 0;
    first = n;
    last = n + count - 1;
    failure = error;
    __atomic_store_n(&armed, kinds, __ATOMIC_SEQ_CST);
}

/* Calls of the armed kinds since they were armed. */
long faults_disarm(void)
{
    __atomic_store_n(&armed, 0, __ATOMIC_SEQ_CST);
    return calls;
}

/* Blocks in use. */
long faults_live(void)
{
    return __atomic_load_n(&live, __ATOMIC_SEQ_CST);
}

/* The file of the i-th function that led to the first failure since the interpreter's loop; NULL:
 * there are no more. */
const char *faults_file(int i)
{
    Dl_info where;
    if (i >= depth || !dladdr(chain[i], &where)) return NULL;
    if (where.dli_sname && !strncmp(where.dli_sname, LOOP, sizeof LOOP - 1)) return NULL;
    return where.dli_fname;
}

/* The first backtrace allocates: this is it. */
static void __attribute__((constructor)) begin(void)
{
    depth = backtrace(chain, 1) - 1;
    traced = getenv("FAULTS_TRACE") != NULL;
}

/* ---- Memory -------------------------------------------------------------------------------- */

static void *counted(void *block)
{
    if (block) __atomic_add_fetch(&live, 1, __ATOMIC_RELAXED);
    return block;
}

void *malloc(size_t size)
{
    return refuses(size) ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return refuses(count * size) ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *block, size_t size)
{
    if (size && refuses(size)) return NULL;
    void *moved = __libc_realloc(block, size);
    if (!block) return counted(moved);
    if (!size) __atomic_add_fetch(&live, -1, __ATOMIC_RELAXED);
    return moved;
}

void *memalign(size_t alignment, size_t size)
{
    return refuses(size) ? NULL : counted(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return refuses(size) ? NULL : counted(__libc_memalign(alignment, size));
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    void *made = refuses(size) ? NULL : counted(__libc_memalign(alignment, size));
    if (made) *block = made;
    return made ? 0 : ENOMEM;
}

void free(void *block)
{
    if (block) __atomic_add_fetch(&live, -1, __ATOMIC_RELAXED);
    __libc_free(block);
}

/* ---- Threads and files --------------------------------------------------------------------- */

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*begin)(void *), void *with)
{
    return fails(THREAD) ? EAGAIN : NEXT(pthread_create)(thread, how, begin, with);
}

static mode_t mode_of(int flags, va_list more)
{
    return flags & O_CREAT ? va_arg(more, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    const mode_t mode = mode_of(flags, more);
    va_end(more);
    return fails(OPEN) ? -1 : NEXT(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    const mode_t mode = mode_of(flags, more);
    va_end(more);
    return fails(OPEN) ? -1 : NEXT(open64)(path, flags, mode);
}

/* A short write is no error: a part of the bytes is written, and the caller has to see it. */
ssize_t write(int descriptor, const void *bytes, size_t count)
{
    if (fails(WRITE)) return -1;
    return NEXT(write)(descriptor, bytes, fails(SHORT_WRITE) ? (count + 1) / 2 : count);
}

int fsync(int descriptor)
{
    return fails(SYNC) ? -1 : NEXT(fsync)(descriptor);
}

int chmod(const char *path, mode_t mode)
{
    return fails(CHMOD) ? -1 : NEXT(chmod)(path, mode);
}

int fchmod(int descriptor, mode_t mode)
{
    return fails(CHMOD) ? -1 : NEXT(fchmod)(descriptor, mode);
}

int rename(const char *from, const char *to)
{
    return fails(RENAME) ? -1 : NEXT(rename)(from, to);
}

int unlink(const char *path)
{
    return fails(UNLINK) ? -1 : NEXT(unlink)(path);
}

/* A descriptor is closed even where the last bytes could not be written. */
int close(int descriptor)
{
    const int failing = fails(CLOSE), why = errno;
    const int status = NEXT(close)(descriptor);
    if (failing) errno = why;
    return failing ? -1 : status;
}
