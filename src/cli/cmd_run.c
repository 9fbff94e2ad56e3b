/* SPDX-License-Identifier: Apache-2.0
 *
 * weir run: reads the command line of a run and leaves the rest to door/.
 *
 * What can be wrong with a word on the command line is said here in one sentence, with what to
 * write instead, and exit status 2. What can be wrong with the program or the network is said by
 * door/. The exit status is the program's; when a signal ended it, weir ends by that signal too.
 */
#include "cli/cmd.h"
#include "door/door.h"
#include "run/linkcmd.h"
#include "run/words.h"

#include <weir/conf.h>

#include <errno.h>
#include <getopt.h>

static const char help[] =
    "Usage: weir run [OPTIONS] [--] PROGRAM [ARGS…]\n"
    "\n"
    "Runs an unmodified program on weir's TCP/IP stack instead of the kernel's.\n"
    "No root, no TAP interface and no change to the program are needed.\n"
    "\n"
    "  --net user            a network of the user's own, with a router, NAT and DNS (default)\n"
    "  --net tap:NAME        the TAP interface NAME\n"
    "  --net virtio:SLOT     a virtio card on the PCI bus, driven by weir itself (root; see\n"
    "                        docs/virtio.md), such as virtio:0000:00:03.0\n"
    "  --addr ADDRESS/LEN    address of the program (user: 10.0.2.15/24 and fd00::15/64);\n"
    "                        once for IPv4, once for IPv6\n"
    "  --gw ADDRESS          router (user: 10.0.2.2 and fd00::2); once for each too\n"
    "  --slaac               IPv6 addresses and routes by what the network's routers say\n"
    "  -p, --publish [ADDR:]HOSTPORT:PORT[/udp]\n"
    "                        a port of the host that leads to the program; can be repeated\n"
    "  --host-loopback       127.0.0.1 and ::1 are the host's, not the program's own\n"
    "  --link SPEC           an emulated link, in the words of netem:\n"
    "                        'delay 40ms loss 1% rate 20mbit'\n"
    "  --qdisc 'KIND …'      the queue before the network, in the words of tc: 'fq_codel',\n"
    "                        'tbf rate 10mbit', 'fifo limit 100'; see weir link --help\n"
    "  --nic[=OPTIONS]       a model NIC and its driver under the stack, in real time; tuned by\n"
    "                        weir nic: 'rate=10gbit,rings=512,queues=2'; costs copies\n"
    "  --pcap FILE           write every packet to FILE (pcapng), each with a comment: why it\n"
    "                        was sent or what became of it, and how its connection was\n"
    "  --trace FILE          write what the stack does to FILE, for weir trace and weir plot\n"
    "  --mtu BYTES           largest IP packet on the user network (65520; with --link or\n"
    "                        --nic 1500) or a virtio card (what the card says)\n"
    "  --set NAME=VALUE      a setting of the stack, such as tcp_congestion_control=6; can be\n"
    "                        repeated\n"
    "  --settings            list all settings, with their defaults\n"
    "  --report              say at the end what was refused, and the counters\n"
    "  -h, --help            this text\n"
    "\n"
    "Exit status: the program's; 2 when the command line or the surroundings are wrong,\n"
    "126 when the program cannot be run, 127 when there is none of that name.\n"
    "\n"
    "Examples:\n"
    "  weir run curl https://example.org/\n"
    "  weir run -p 8080:80 python3 -m http.server 80\n"
    "  weir run --host-loopback --link 'delay 50ms' curl http://127.0.0.1:8000/\n";

enum run_opt {
    OPT_NET = 256,
    OPT_ADDR,
    OPT_GW,
    OPT_SLAAC,
    OPT_LOOPBACK,
    OPT_LINK,
    OPT_NIC,
    OPT_QDISC,
    OPT_PCAP,
    OPT_TRACE,
    OPT_MTU,
    OPT_SET,
    OPT_SETTINGS,
    OPT_REPORT
};

static const struct option options[] = {
    {"net", required_argument, NULL, OPT_NET},
    {"addr", required_argument, NULL, OPT_ADDR},
    {"gw", required_argument, NULL, OPT_GW},
    {"slaac", no_argument, NULL, OPT_SLAAC},
    {"publish", required_argument, NULL, 'p'},
    {"host-loopback", no_argument, NULL, OPT_LOOPBACK},
    {"link", required_argument, NULL, OPT_LINK},
    {"qdisc", required_argument, NULL, OPT_QDISC},
    {"nic", optional_argument, NULL, OPT_NIC},
    {"pcap", required_argument, NULL, OPT_PCAP},
    {"trace", required_argument, NULL, OPT_TRACE},
    {"mtu", required_argument, NULL, OPT_MTU},
    {"set", required_argument, NULL, OPT_SET},
    {"settings", no_argument, NULL, OPT_SETTINGS},
    {"report", no_argument, NULL, OPT_REPORT},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

enum { PREFIX_MAX = 32, PREFIX_MAX6 = 128, MTU_MIN = 576, MTU_MAX = 65520 };

static int bad(const char *option, const char *word, const char *what)
{
    fprintf(stderr, "weir run: %s %s: %s\n", option, word, what);
    return -EINVAL;
}

static int parse_addr(struct door_conf *c, const char *text)
{
    char ip[ADDR_TEXT];
    struct addr a;
    uint64_t len = 0; /* the family's default */
    const char *slash = strchr(text, '/');
    size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
    if (n >= sizeof(ip))
        return bad("--addr", text, "is no address; write one like 192.168.7.2/24");
    memcpy(ip, text, n);
    ip[n] = 0;
    if (addr_parse(ip, &a) < 0)
        return bad("--addr", text, "is no address; write one like 192.168.7.2/24");
    bool is_ip4 = addr_is_ip4(&a);
    if (slash != NULL && words_number(slash + 1, 1, is_ip4 ? PREFIX_MAX : PREFIX_MAX6, &len) < 0)
        return bad("--addr", text,
                   is_ip4 ? "has no length from 1 to 32 after the slash"
                          : "has no length from 1 to 128 after the slash");
    *(is_ip4 ? &c->backend.addr : &c->backend.addr6) = a;
    *(is_ip4 ? &c->backend.prefix_len : &c->backend.prefix_len6) = (uint8_t)len;
    return 0;
}

static int parse_publish(struct door_conf *c, const char *text)
{
    char why[BACKEND_ERR_TEXT];
    struct backend_conf *b = &c->backend;
    if (b->n_fwd == BACKEND_FWD_MAX)
        return bad("-p", text, "is one too many; 64 ports can be published");
    if (backend_parse_fwd(text, &b->fwd[b->n_fwd], why) < 0) {
        fprintf(stderr, "weir run: -p: %s\n", why);
        return -EINVAL;
    }
    b->n_fwd++;
    return 0;
}

static int parse_mtu(struct door_conf *c, const char *text)
{
    uint64_t mtu;
    if (words_number(text, MTU_MIN, MTU_MAX, &mtu) < 0)
        return bad("--mtu", text, "is not a number of bytes from 576 to 65520");
    c->backend.mtu = (uint32_t)mtu;
    return 0;
}

static int parse_gw(struct door_conf *c, const char *text)
{
    struct addr a;
    if (addr_parse(text, &a) < 0)
        return bad("--gw", text, "is no address; write one like 192.168.7.1");
    *(addr_is_ip4(&a) ? &c->backend.gw : &c->backend.gw6) = a;
    return 0;
}

static int parse_nic(struct door_conf *c, const char *text)
{
    static struct nicdev_conf conf;
    char why[NICDEV_ERR_TEXT];
    nicdev_conf_default(&conf);
    c->nic = &conf;
    if (text == NULL || nicdev_parse(text, &conf, why) == 0)
        return 0;
    fprintf(stderr, "weir run: --nic: %s\n", why);
    return -EINVAL;
}

static void list_settings(void)
{
    const struct weir_setting *s;
    for (unsigned i = 0; (s = weir_conf_setting(i)) != NULL; i++)
        printf("%-28s %10u  %s\n", s->name, s->def, s->doc);
}

/* What is wrong with a setting, for a person. */
static int bad_setting(const char *text, const char *name, int err)
{
    const struct weir_setting *s = NULL;
    if (err == -ENOENT)
        return bad("--set", text, "no such setting; weir run --settings lists them");
    for (unsigned i = 0; (s = weir_conf_setting(i)) != NULL && strcmp(s->name, name) != 0; i++)
        continue;
    fprintf(stderr, "weir run: --set %s: wants a number from %u to %u: %s\n", text,
            s != NULL ? s->min : 0, s != NULL ? s->max : 0, s != NULL ? s->doc : "");
    return -EINVAL;
}

static int parse_set(struct door_conf *c, const char *text)
{
    char name[DOOR_SETTING_NAME];
    struct weir_conf scratch;
    const char *eq = strchr(text, '=');
    if (eq == NULL || eq == text || (size_t)(eq - text) >= sizeof name)
        return bad("--set", text, "write it like tcp_init_cwnd=20; weir run --settings lists all");
    if (c->n_set == DOOR_SETTINGS)
        return bad("--set", text, "is one too many; 64 can be set");
    memcpy(name, text, (size_t)(eq - text));
    name[eq - text] = 0;
    weir_conf_default(&scratch);
    int err = weir_conf_set(&scratch, name, eq + 1);
    if (err != 0)
        return bad_setting(text, name, err);
    c->set[c->n_set++] = text;
    return 0;
}

static int parse_queue(struct door_conf *c, const char *text)
{
    static struct weir_qdisc qdisc;
    char why[LINKCMD_ERR_TEXT];
    c->qdisc = &qdisc;
    if (linkcmd_parse_qdisc(text, &qdisc, why) == 0)
        return 0;
    fprintf(stderr, "weir run: --qdisc: %s\n", why);
    return -EINVAL;
}

/* One option. 0, or -EINVAL after a sentence. */
static int parse_option(struct door_conf *c, int option, const char *arg)
{
    switch (option) {
    case OPT_NET: c->net = arg; return 0;
    case OPT_ADDR: return parse_addr(c, arg);
    case OPT_GW: return parse_gw(c, arg);
    case OPT_SLAAC: c->wants_slaac = true; return 0;
    case 'p': return parse_publish(c, arg);
    case OPT_LOOPBACK: c->backend.can_host_loopback = true; return 0;
    case OPT_LINK: c->link = arg; return 0;
    case OPT_QDISC: return parse_queue(c, arg);
    case OPT_NIC: return parse_nic(c, arg);
    case OPT_PCAP: c->pcap = arg; return 0;
    case OPT_TRACE: c->trace = arg; return 0;
    case OPT_MTU: return parse_mtu(c, arg);
    case OPT_SET: return parse_set(c, arg);
    case OPT_REPORT: c->wants_report = true; return 0;
    default: return -EINVAL;
    }
}

static int complain(int option, char *word)
{
    if (option == ':')
        fprintf(stderr, "weir run: %s needs a value; weir run --help tells which\n", word);
    else
        fprintf(stderr, "weir run: no option %s; weir run --help lists them\n", word);
    return DOOR_EXIT_USAGE;
}

int cmd_run(int argc, char **argv)
{
    struct door_conf c = {.err = stderr};
    int option, sig;
    opterr = 0;
    /* "+": options end at the program's name; ":": tell a missing value from an unknown option */
    while ((option = getopt_long(argc, argv, "+:p:h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (option == OPT_SETTINGS) {
            list_settings();
            return 0;
        }
        if (option == ':' || option == '?')
            return complain(option, argv[optind - 1]);
        if (parse_option(&c, option, optarg) < 0)
            return DOOR_EXIT_USAGE;
    }
    if (optind == argc) {
        fprintf(stderr, "weir run: which program? Write: weir run PROGRAM [ARGS…]\n");
        return DOOR_EXIT_USAGE;
    }
    c.argv = argv + optind;
    int status = door_run(&c, &sig);
    if (sig != 0)
        door_die(sig);
    return status;
}
