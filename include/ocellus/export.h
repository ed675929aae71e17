/* OCELLUS_API marks what libocellus.so exports. Everything else in it is hidden. For C and C++. */
#ifndef OCELLUS_EXPORT_H
#define OCELLUS_EXPORT_H

#if defined(__GNUC__)
#define OCELLUS_API __attribute__((visibility("default")))
#else
#define OCELLUS_API
#endif

#endif
