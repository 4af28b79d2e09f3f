package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMarksAreFoundInAnyText(t *testing.T) {
	want := []mark{{3, 7, 12345}, {9999, 4294967295, 123456789012345}}
	text := []byte(`[{"channel":"/a","data":`)
	for _, m := range want {
		data := appendData(nil, m, 200)
		if len(data) != 200 {
			t.Fatalf("data has %d bytes", len(data))
		}
		text = append(append(text, data...), "},{~"...)
	}
	var got []mark
	if n := eachMark(text, func(m mark) { got = append(got, m) }); n != len(want) || !slices.Equal(got, want) {
		t.Fatalf("found %d: %v", n, got)
	}
	if n := eachMark([]byte(`"~#00`), func(mark) {}); n != 0 {
		t.Fatal("found a mark that is cut off")
	}
}

func TestTrackerTellsFaultsApart(t *testing.T) {
	tests := map[string]struct {
		seen []uint32
		sent uint32
		want tally
	}{
		"all":        {[]uint32{0, 1, 2}, 3, tally{}},
		"end":        {[]uint32{0}, 3, tally{Lost: 2}},
		"gap":        {[]uint32{0, 2}, 3, tally{Lost: 1}},
		"double":     {[]uint32{0, 1, 1, 2}, 3, tally{Doubled: 1}},
		"swapped":    {[]uint32{1, 0, 2}, 3, tally{Disordered: 1}},
		"late twice": {[]uint32{1, 0, 0, 2}, 3, tally{Doubled: 1, Disordered: 1}},
		"nothing":    {nil, 2, tally{Lost: 2}},
	}
	for name, test := range tests {
		var k tracker
		var got tally
		for _, seq := range test.seen {
			k.saw(seq, &got)
		}
		if k.finish(test.sent, &got); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

func TestHistogramIsExactEnough(t *testing.T) {
	var h histogram
	for i := range 10_000 {
		h.add(time.Duration(i+1) * time.Microsecond)
	}
	for share, want := range map[float64]time.Duration{0.5: 5 * time.Millisecond, 0.99: 9900 * time.Microsecond, 1: 10 * time.Millisecond} {
		if got := h.at(share); got < want*98/100 || got > want*102/100 {
			t.Errorf("%v of all: %v, want %v", share, got, want)
		}
	}
	for _, n := range []uint64{0, 63, 64, 65, 127, 128, 1 << 20, 1<<40 + 12345} {
		if i := cell(n); lowest(i) > n || lowest(i+1) <= n {
			t.Errorf("%d is in the cell from %d to %d", n, lowest(i), lowest(i+1))
		}
	}
}

func TestResponsesInPieces(t *testing.T) {
	plain := "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nSet-Cookie: a=b; Path=/\r\n\r\nhello"
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"
	for _, text := range []string{plain, chunked} {
		for i := range len(text) {
			if _, used, err := parseResponse([]byte(text[:i])); used != 0 || err != nil {
				t.Fatalf("%d of %d bytes: used %d, error %v", i, len(text), used, err)
			}
		}
		r, used, err := parseResponse([]byte(text + "HTTP/1.1"))
		if err != nil || used != len(text) || r.status != 200 || string(r.body) != "hello" {
			t.Fatalf("%q: %d used, status %d, body %q, error %v", text, used, r.status, r.body, err)
		}
	}
	if r, _, _ := parseResponse([]byte(plain)); string(header(r.header, "Set-Cookie")) != "a=b; Path=/" {
		t.Error("cookie not found")
	}
	if _, _, err := parseResponse([]byte("HTTP/1.1 200 OK\r\n\r\n")); err == nil {
		t.Error("a response without a length is accepted")
	}
}

func TestFramesInPieces(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 100_000} {
		payload := strings.Repeat("x", size)
		b := appendFrame(nil, opText, []byte(payload))
		// A server's frame is a client's without the mask.
		head := len(b) - size - 4
		b = append(b[:head:head], payload...)
		b[1] &= 0x7f
		for _, n := range []int{0, 1, head - 1, len(b) - 1} {
			if _, used, err := parseFrame(b[:n]); n < len(b) && (used != 0 || err != nil) {
				t.Fatalf("size %d: %d bytes: used %d, error %v", size, n, used, err)
			}
		}
		f, used, err := parseFrame(append(b, 0x81))
		if err != nil || used != len(b) || f.opcode != opText || string(f.payload) != payload {
			t.Fatalf("size %d: used %d of %d, error %v", size, used, len(b), err)
		}
	}
	if _, _, err := parseFrame([]byte{0x01, 0}); err == nil {
		t.Error("a fragment is accepted")
	}
}

func TestConnectRepliesAreFound(t *testing.T) {
	data := `{"channel":"/bench/0001","data":` + string(appendData(nil, mark{1, 2, 3}, 200)) + `}`
	connect := `{"channel":"/meta/connect","id":"7","successful":true}`
	for text, want := range map[string]bool{
		"[" + data + "]":                                  false,
		"[" + connect + "]":                               true,
		"[" + connect + "," + data + "]":                  true,
		"[" + data + "," + data + "," + connect + "]":     true,
		"[" + strings.Repeat(data+",", 9) + data + "]":    false,
		"[" + strings.Repeat(data+",", 9) + connect + "]": true,
	} {
		n := eachMark([]byte(text), func(mark) {})
		if got := hasConnect([]byte(text), n); got != want {
			t.Errorf("%d messages in %.80s: %v", n, text, got)
		}
	}
}
