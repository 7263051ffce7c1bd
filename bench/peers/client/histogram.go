package main

import (
	"math"
	"time"
)

// Each step of the histogram is so much longer than the one before.
const histogramStep = 1.02

// Times, counted by length from 1 µs on. One goroutine adds; it is read when that is over.
type histogram struct {
	counts [1200]int64
	count  int64
}

func (h *histogram) add(duration time.Duration) {
	micros := float64(duration.Nanoseconds()) / 1000
	step := 0
	if micros > 1 {
		step = min(int(math.Log(micros)/math.Log(histogramStep)), len(h.counts)-1)
	}
	h.counts[step]++
	h.count++
}

func merged(all []*histogram) *histogram {
	sum := new(histogram)
	for _, h := range all {
		for step, count := range h.counts {
			sum.counts[step] += count
			sum.count += count
		}
	}
	return sum
}

// In milliseconds.
func (h *histogram) percentile(part float64) float64 {
	rest := int64(math.Ceil(part * float64(h.count)))
	for step, count := range h.counts {
		if rest -= count; rest <= 0 && count > 0 {
			return math.Pow(histogramStep, float64(step)+0.5) / 1000
		}
	}
	return 0
}

func (h *histogram) max() float64 {
	return h.percentile(1)
}
