/* SPDX-License-Identifier: Apache-2.0
 *
 * weir pcap: a capture file, one line a packet, by the same code that the stack parses with.
 *
 * Reads pcap and pcapng through libpcap (Ethernet and raw IP). Decides nothing; a file that cannot
 * be read is one sentence and exit status 2, a file that ends in the middle of a packet is told
 * after what came before it.
 */
#include "cli/cmd.h"

#include "run/words.h"
#include "wire/show.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: weir pcap [-n COUNT] FILE\n"
    "\n"
    "Prints the packets of a capture (pcap or pcapng), one line each: time since the first, then\n"
    "what the packet is. `weir run --pcap FILE` writes such files; Wireshark opens them too.\n"
    "\n"
    "  -n COUNT     only the first COUNT packets\n"
    "  -h, --help   this text\n";

static int show_file(const char *path, uint64_t max)
{
    char err[PCAP_ERRBUF_SIZE], line[512];
    pcap_t *f = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, err);
    if (f == NULL) {
        /* libpcap names the file in some of its sentences. */
        bool is_named = strstr(err, path) != NULL;
        fprintf(stderr, "weir pcap: %s%s%s\n", is_named ? "" : path, is_named ? "" : ": ", err);
        return 2;
    }
    int link = pcap_datalink(f), r = 1;
    bool is_raw = link == DLT_RAW || link == DLT_IPV4 || link == DLT_IPV6;
    if (link != DLT_EN10MB && !is_raw) {
        fprintf(stderr, "weir pcap: %s holds %s frames; only Ethernet and raw IP can be shown\n",
                path, pcap_datalink_val_to_name(link));
        pcap_close(f);
        return 2;
    }
    struct pcap_pkthdr *h;
    const u_char *bytes;
    double first = -1;
    for (uint64_t i = 0; i < max && (r = pcap_next_ex(f, &h, &bytes)) == 1; i++) {
        double at = (double)h->ts.tv_sec + (double)h->ts.tv_usec / 1e9;
        first = first < 0 ? at : first;
        if (is_raw)
            (void)wire_show_ip(bytes, h->caplen, h->len, line, sizeof(line));
        else
            (void)wire_show_eth(bytes, h->caplen, h->len, line, sizeof(line));
        printf("%12.6f %s\n", at - first, line);
    }
    if (r == PCAP_ERROR)
        fprintf(stderr, "weir pcap: %s: %s\n", path, pcap_geterr(f));
    pcap_close(f);
    return r == PCAP_ERROR ? 2 : 0;
}

int cmd_pcap(int argc, char **argv)
{
    uint64_t max = UINT64_MAX;
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (strcmp(argv[i], "-n") != 0) {
            fprintf(stderr, "weir pcap: no option %s; see weir pcap --help\n", argv[i]);
            return 2;
        }
        const char *count = argv[++i];
        if (count == NULL || words_number(count, 0, UINT64_MAX, &max) < 0) {
            fprintf(stderr, "weir pcap: -n wants a number of packets, not %s\n",
                    count != NULL ? count : "nothing");
            return 2;
        }
    }
    if (i + 1 != argc) {
        fprintf(stderr, "weir pcap: name one capture file; see weir pcap --help\n");
        return 2;
    }
    return show_file(argv[i], max);
}
