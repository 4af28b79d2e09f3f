package main

import (
	"bytes"
	"fmt"
	"time"
)

// mark travels inside the data of every message. It is found by searching
// bytes, so that the load side decodes no JSON.
type mark struct {
	channel int
	seq     uint32        // counts the channel's messages from 0
	at      time.Duration // when it was, or should have been, sent
}

const (
	markStart               = "~#"
	channelDigits, seqDigit = 4, 10
	timeDigits              = 15
	markDigits              = channelDigits + seqDigit + timeDigits
	dataHead                = `{"mark":"` + markStart
	dataMiddle              = `","pad":"`
	dataTail                = `"}`
	minData                 = len(dataHead) + markDigits + len(dataMiddle) + len(dataTail)
)

// appendData appends a message's data of the given size.
func appendData(b []byte, m mark, size int) []byte {
	b = append(b, dataHead...)
	b = appendDigits(b, uint64(m.channel), channelDigits)
	b = appendDigits(b, uint64(m.seq), seqDigit)
	b = appendDigits(b, uint64(m.at), timeDigits)
	b = append(b, dataMiddle...)
	for range size - minData {
		b = append(b, 'x')
	}
	return append(b, dataTail...)
}

func appendDigits(b []byte, n uint64, width int) []byte {
	at := len(b) + width
	for range width {
		b = append(b, '0')
	}
	for i := at - 1; n > 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

// eachMark calls f for every mark in data and returns how many there were.
func eachMark(data []byte, f func(mark)) int {
	for n := 0; ; n++ {
		i := bytes.Index(data, []byte(markStart))
		if i < 0 || len(data) < i+len(markStart)+markDigits {
			return n
		}
		data = data[i+len(markStart):]
		f(mark{
			channel: int(digits(data[:channelDigits])),
			seq:     uint32(digits(data[channelDigits : channelDigits+seqDigit])),
			at:      time.Duration(digits(data[channelDigits+seqDigit : markDigits])),
		})
		data = data[markDigits:]
	}
}

func digits(b []byte) (n uint64) {
	for _, c := range b {
		n = n*10 + uint64(c-'0')
	}
	return n
}

// tally counts what a subscriber should not see.
type tally struct {
	Lost       int64 `json:"lost"`
	Doubled    int64 `json:"doubled"`
	Disordered int64 `json:"disordered"`
}

func (t *tally) String() string {
	return fmt.Sprintf("%d lost, %d doubled, %d disordered", t.Lost, t.Doubled, t.Disordered)
}

// tracker checks what one subscriber gets of one channel.
type tracker struct {
	next    uint32
	missing map[uint32]struct{} // passed over so far
}

// saw notes a message. It reports whether it is there for the first time.
func (k *tracker) saw(seq uint32, t *tally) bool {
	if seq == k.next {
		k.next++
		return true
	}
	if seq > k.next {
		if k.missing == nil {
			k.missing = make(map[uint32]struct{})
		}
		for ; k.next < seq; k.next++ {
			k.missing[k.next] = struct{}{}
		}
		k.next++
		return true
	}
	if _, late := k.missing[seq]; late {
		delete(k.missing, seq)
		t.Disordered++
		return true
	}
	t.Doubled++
	return false
}

// finish counts what never came of sent messages.
func (k *tracker) finish(sent uint32, t *tally) {
	t.Lost += int64(len(k.missing)) + int64(sent-min(k.next, sent))
}
