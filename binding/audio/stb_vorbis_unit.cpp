// The one translation unit that compiles stb_vorbis.

// Broken input must end in an error, not in an assertion.
#undef NDEBUG
#define NDEBUG

#define STB_VORBIS_NO_STDIO
#define STB_VORBIS_NO_PULLDATA_API
#include "stb_vorbis.c"
