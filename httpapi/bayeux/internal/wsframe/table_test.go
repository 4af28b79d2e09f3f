package wsframe_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/webconferencing/webconferencing/httpapi/bayeux/internal/wsframe"
)

// rule is one line of the table: what a client sends after the handshake, what
// the application receives and what the client does.
type rule struct {
	name  string
	send  []byte
	gets  string // messages, separated by spaces
	hears string // frames, ending with the close frame; "" is close:1000
}

// limits are small, so that they can be reached.
var limits = wsframe.Options{MaxMessageBytes: 10000, MaxFragments: 64}

func rules() []rule {
	var all []rule
	for _, part := range [][]rule{
		framing(), lengths(), fragments(), controls(), closing(), texts(),
	} {
		all = append(all, part...)
	}
	return all
}

func framing() []rule {
	list := []rule{
		{"text", text("hello"), "text:hello", ""},
		{"binary", bin("\x00\xff"), "binary:\x00\xff", ""},
		{"empty text", text(""), "text:", ""},
		{"empty binary", bin(""), "binary:", ""},
		{"two messages at once", join(text("a"), bin("b")), "text:a binary:b", ""},
		{"mask of zeroes", join([]byte{0x81, 0x82, 0, 0, 0, 0}, []byte("ok")), "text:ok", ""},
		{"text without mask", []byte{0x81, 0x02, 'n', 'o'}, "", "close:1002"},
		{"empty text without mask", []byte{0x81, 0x00}, "", "close:1002"},
		{"ping without mask", []byte{0x89, 0x00}, "", "close:1002"},
		{"close without mask", []byte{0x88, 0x02, 0x03, 0xe8}, "", "close:1002"},
		{"continuation without mask", join(textPart("a"), []byte{0x80, 0x01, 'b'}), "", "close:1002"},
		{"good message, then one without mask", join(text("a"), []byte{0x81, 0x00}), "text:a", "close:1002"},
		{"plain HTTP instead of frames", []byte("GET / HTTP/1.1\r\n\r\n"), "", "close:1002"},
	}
	for rsv := byte(0x10); rsv <= 0x70; rsv += 0x10 {
		list = append(list, rule{fmt.Sprintf("reserved bits %#x", rsv), frame(0x81|rsv, "x"), "", "close:1002"})
	}
	list = append(list,
		rule{"reserved bit in a continuation", join(textPart("a"), frame(0x80|0x40, "b")), "", "close:1002"},
		rule{"reserved bit in a ping", frame(0x89|0x20, ""), "", "close:1002"},
		rule{"reserved bit in a close", frame(0x88|0x10, ""), "", "close:1002"},
	)
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		list = append(list, rule{fmt.Sprintf("reserved opcode %d", op), frame(0x80|op, "x"), "", "close:1002"})
	}
	return list
}

func lengths() []rule {
	var list []rule
	for _, n := range []int{1, 7, 8, 31, 32, 33, 124, 125, 126, 127, 4095, 4096, 4097, 9999, 10000} {
		s := strings.Repeat("abcdefghijk", n/11+1)[:n]
		list = append(list,
			rule{fmt.Sprintf("text of %d bytes", n), join(text(s), text("next")), "text:" + s + " text:next", ""},
		)
	}
	mask := []byte{1, 2, 3, 4}
	return append(list,
		rule{"message one byte too large", text(strings.Repeat("x", 10001)), "", "close:1009"},
		rule{"message of 64 KiB", bin(strings.Repeat("x", 1<<16)), "", "close:1009"},
		rule{"message too large, header only", []byte{0x81, 0xfe, 0xff, 0xff, 1, 2, 3, 4}, "", "close:1009"},
		rule{"2^63-1 bytes announced", join([]byte{0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255}, mask), "", "close:1009"},
		rule{"2^63 bytes announced", join([]byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0}, mask), "", "close:1002"},
		rule{"2^64-1 bytes announced", join([]byte{0x81, 0xff, 255, 255, 255, 255, 255, 255, 255, 255}, mask), "", "close:1002"},
		rule{"16-bit length for 125 bytes", []byte{0x81, 0xfe, 0, 125}, "", "close:1002"},
		rule{"16-bit length for nothing", []byte{0x81, 0xfe, 0, 0}, "", "close:1002"},
		rule{"64-bit length for 65535 bytes", []byte{0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, "", "close:1002"},
		rule{"64-bit length for one byte", []byte{0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 1}, "", "close:1002"},
		rule{"too large in two fragments", join(frame(2, strings.Repeat("x", 6000)), last(strings.Repeat("y", 4001))), "", "close:1009"},
		rule{"just small enough in two fragments", join(frame(2, strings.Repeat("x", 6000)), last(strings.Repeat("y", 4000))), "binary:" + strings.Repeat("x", 6000) + strings.Repeat("y", 4000), ""},
	)
}

func fragments() []rule {
	storm := func(n int) []byte {
		return join(textPart("x"), bytes.Repeat(more("x"), n-2), last("x"))
	}
	return []rule{
		{"two fragments", join(textPart("hel"), last("lo")), "text:hello", ""},
		{"five fragments", join(textPart("h"), more("e"), more("l"), more("l"), last("o")), "text:hello", ""},
		{"binary in fragments", join(frame(2, "\xff"), last("\xfe")), "binary:\xff\xfe", ""},
		{"empty fragments", join(textPart(""), more(""), last("")), "text:", ""},
		{"empty first fragment", join(textPart(""), last("a")), "text:a", ""},
		{"empty last fragment", join(textPart("a"), last("")), "text:a", ""},
		{"large fragments", join(textPart(strings.Repeat("a", 5000)), last(strings.Repeat("b", 5000))), "text:" + strings.Repeat("a", 5000) + strings.Repeat("b", 5000), ""},
		{"ping between fragments", join(textPart("a"), ping("p"), last("b")), "text:ab", "pong:p close:1000"},
		{"pong between fragments", join(textPart("a"), pong("p"), last("b")), "text:ab", ""},
		{"close between fragments", join(textPart("a"), goodbye(1001, "")), "", "close:1001"},
		{"two fragmented messages", join(textPart("a"), last("b"), textPart("c"), last("d")), "text:ab text:cd", ""},
		{"last continuation of nothing", last("x"), "", "close:1002"},
		{"continuation of nothing", more("x"), "", "close:1002"},
		{"continuation after a whole message", join(text("a"), last("b")), "text:a", "close:1002"},
		{"continuation after the last fragment", join(textPart("a"), last("b"), last("c")), "text:ab", "close:1002"},
		{"text within a text", join(textPart("a"), text("b")), "", "close:1002"},
		{"binary within a text", join(textPart("a"), bin("b")), "", "close:1002"},
		{"second beginning", join(textPart("a"), textPart("b")), "", "close:1002"},
		{"64 fragments", storm(64), "text:" + strings.Repeat("x", 64), ""},
		{"65 fragments", storm(65), "", "close:1008"},
		{"endless continuation", join(textPart("x"), bytes.Repeat(more("x"), 5000)), "", "close:1008"},
		{"endless empty continuation", join(textPart(""), bytes.Repeat(more(""), 5000)), "", "close:1008"},
		{"65th fragment of one byte's length", join(textPart("x"), bytes.Repeat(more("x"), 63), []byte{0}), "", "close:1008"},
	}
}

func controls() []rule {
	long := strings.Repeat("p", 125)
	return []rule{
		{"ping", ping("hi"), "", "pong:hi close:1000"},
		{"empty ping", ping(""), "", "pong: close:1000"},
		{"ping of 125 bytes", ping(long), "", "pong:" + long + " close:1000"},
		{"ping of any bytes", ping("\xff\x00"), "", "pong:\xff\x00 close:1000"},
		{"unsolicited pong", pong("hi"), "", ""},
		{"ping, then text", join(ping("1"), text("a"), ping("2")), "text:a", "pong:1 pong:2 close:1000"},
		{"ten pings", bytes.Repeat(ping("x"), 10), "", strings.Repeat("pong:x ", 10) + "close:1000"},
		{"eleven pings", bytes.Repeat(ping("x"), 11), "", strings.Repeat("pong:x ", 10) + "close:1008"},
		{"ten pongs", bytes.Repeat(pong(""), 10), "", ""},
		{"eleven pongs", bytes.Repeat(pong(""), 11), "", "close:1008"},
		{"six pings and five pongs", join(bytes.Repeat(ping(""), 6), bytes.Repeat(pong(""), 5)), "", strings.Repeat("pong: ", 6) + "close:1008"},
		{"ping flood", bytes.Repeat(ping("x"), 10000), "", strings.Repeat("pong:x ", 10) + "close:1008"},
		{"ping of 126 bytes", frame(0x89, long+"p"), "", "close:1002"},
		{"pong of 126 bytes", frame(0x8a, long+"p"), "", "close:1002"},
		{"close of 126 bytes", frame(0x88, "\x03\xe8"+long[1:]), "", "close:1002"},
		{"ping with a 64-bit length", []byte{0x89, 0xff}, "", "close:1002"},
		{"ping in fragments", frame(0x09, "x"), "", "close:1002"},
		{"pong in fragments", frame(0x0a, "x"), "", "close:1002"},
		{"close in fragments", frame(0x08, ""), "", "close:1002"},
	}
}

func closing() []rule {
	list := []rule{
		{"close without code", frame(0x88, ""), "", "close:"},
		{"close with half a code", frame(0x88, "\x03"), "", "close:1002"},
		{"close with a reason", goodbye(1000, "bye"), "", "close:1000"},
		{"close with a reason of 123 bytes", goodbye(1000, strings.Repeat("r", 123)), "", "close:1000"},
		{"close with a reason in other letters", goodbye(1000, "пока"), "", "close:1000"},
		{"close with a reason that is not UTF-8", goodbye(1000, "\xff"), "", "close:1007"},
		{"close with a reason cut off in a character", goodbye(1000, "\xe2\x82"), "", "close:1007"},
		{"frames after close", join(goodbye(1000, ""), text("late")), "", "close:1000"},
	}
	for _, code := range []int{1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4401, 4999} {
		list = append(list, rule{fmt.Sprintf("close %d", code), goodbye(code, "r"), "", fmt.Sprintf("close:%d", code)})
	}
	for _, code := range []int{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		list = append(list, rule{fmt.Sprintf("close %d", code), goodbye(code, ""), "", "close:1002"})
	}
	return list
}

func texts() []rule {
	var list []rule
	for _, s := range []string{"κόσμε", "\u0000", "\x7f", "\u0080", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufffd", "\uffff", "\U00010000", "\U0010ffff", "a€𝄞"} {
		list = append(list, rule{fmt.Sprintf("text %+q", s), text(s), "text:" + s, ""})
		for i := range len(s) + 1 {
			list = append(list, rule{
				fmt.Sprintf("text %+q in two, at %d", s, i), join(textPart(s[:i]), last(s[i:])), "text:" + s, "",
			})
		}
		split := [][]byte{textPart("")}
		for i := range len(s) {
			split = append(split, more(s[i:i+1]))
		}
		list = append(list, rule{fmt.Sprintf("text %+q byte by byte", s), join(join(split...), last("")), "text:" + s, ""})
	}
	for _, s := range []string{
		"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe2\x82", "\xed\xa0\x80", "\xed\xbf\xbf",
		"\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff", "a\xe2\x28\xa1", "\xe2\x82\xe2",
	} {
		list = append(list,
			rule{fmt.Sprintf("bad text %q", s), text("ok" + s), "", "close:1007"},
			rule{fmt.Sprintf("bad text %q in the first fragment, then a character", s), join(textPart(s), last("x")), "", "close:1007"},
			rule{fmt.Sprintf("bad text %q in two", s), join(textPart(s[:1]), last(s[1:])), "", "close:1007"},
		)
	}
	return append(list,
		rule{"bad text is found before the message ends", join(textPart("\xff"), more("x")), "", "close:1007"},
		rule{"character cut off by a large message", text(strings.Repeat("x", 8000) + "\xe2\x82"), "", "close:1007"},
		rule{"bad character in a large message", text(strings.Repeat("x", 4999) + "\xff" + strings.Repeat("x", 3000)), "", "close:1007"},
		rule{"large text of long characters", text(strings.Repeat("€", 3000)), "text:" + strings.Repeat("€", 3000), ""},
		rule{"bad text in a binary message", bin("\xff\xfe"), "binary:\xff\xfe", ""},
	)
}

// TestRules plays the table over a plain socket and over a connection of an
// unknown type, in one piece and in small ones.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, way := range []struct {
		name    string
		wrapped bool
		pieces  int
	}{{"socket", false, 1 << 20}, {"socket, 3 bytes at once", false, 3}, {"wrapped", true, 1 << 20}, {"wrapped, 1 byte at once", true, 1}} {
		for name, read := range readers {
			t.Run(way.name+", "+name, func(t *testing.T) {
				t.Parallel()
				for _, r := range rules() {
					if len(r.send) > 2000 && way.pieces < 100 {
						continue // takes long and shows nothing more
					}
					play(t, r, way.wrapped, way.pieces, read)
				}
			})
		}
	}
}

func play(t *testing.T, r rule, wrapped bool, pieces int, read func(*wsframe.Conn) (wsframe.Kind, []byte, error)) {
	t.Helper()
	var got []string
	var fault error
	s := startServer(t, &limits, wrapped, func(c *wsframe.Conn) {
		for {
			kind, payload, err := read(c)
			if err != nil {
				fault = err
				return
			}
			got = append(got, describe(kind, payload))
		}
	})
	p := s.dial(t)
	send, hears := r.send, r.hears
	if hears == "" {
		hears = "close:1000"
	}
	if strings.HasSuffix(hears, "close:1000") {
		send = join(send, goodbye(1000, ""))
	}
	go func() {
		for len(send) > 0 {
			n := min(len(send), pieces)
			if _, err := p.Write(send[:n]); err != nil {
				return // the server has had enough
			}
			send = send[n:]
		}
	}()
	heard := p.hearAll(t)
	p.Close()
	s.ended.Wait()
	if all := strings.Join(got, " "); all != r.gets {
		t.Errorf("%s: application got %.200q, want %.200q", r.name, all, r.gets)
	}
	if heard != hears {
		t.Errorf("%s: client heard %.200q, want %.200q", r.name, heard, hears)
	}
	var closed *wsframe.CloseError
	if !errors.As(fault, &closed) {
		t.Errorf("%s: reading ended with %v, not with a close code", r.name, fault)
	}
}
