/* pages.h: pages of memory that the system guards. Here alone the driver asks which system it is. */
#include <stdlib.h>

typedef enum { PAGES_CLOSED, PAGES_READ_ONLY, PAGES_OPEN } page_access;

#if THREADS_WINDOWS

static size_t page_size(void)
{
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwPageSize;
}

static unsigned char *pages_take(size_t bytes)
{
    void *pages = VirtualAlloc(NULL, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (!pages) abort();
    return pages;
}

static void pages_allow(unsigned char *pages, size_t bytes, page_access access)
{
    static const DWORD words[] = {PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE};
    DWORD before;
    if (!VirtualProtect(pages, bytes, words[access], &before)) abort();
}

static void pages_give_back(unsigned char *pages, size_t bytes)
{
    (void)bytes;
    if (!VirtualFree(pages, 0, MEM_RELEASE)) abort();
}

#elif THREADS_NONE

/* WebAssembly guards no pages: what is looked for there are bits. */
static size_t page_size(void)
{
    return 4096;
}

static unsigned char *pages_take(size_t bytes)
{
    void *pages = aligned_alloc(page_size(), bytes);
    if (!pages) abort();
    return memset(pages, 0, bytes);
}

static void pages_allow(unsigned char *pages, size_t bytes, page_access access)
{
    (void)pages;
    (void)bytes;
    (void)access;
}

static void pages_give_back(unsigned char *pages, size_t bytes)
{
    (void)bytes;
    free(pages);
}

#else

#include <sys/mman.h>
#include <unistd.h>

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static unsigned char *pages_take(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) abort();
    return pages;
}

static void pages_allow(unsigned char *pages, size_t bytes, page_access access)
{
    static const int words[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
    if (mprotect(pages, bytes, words[access])) abort();
}

static void pages_give_back(unsigned char *pages, size_t bytes)
{
    if (munmap(pages, bytes)) abort();
}

#endif
