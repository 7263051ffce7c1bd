// An nsqd of NSQ 1.2, whose data paths are imported: ../go_data_path_test.ts builds it from here. There is no source of
// our own, so "go mod tidy" would leave nothing: "go build -mod=mod github.com/nsqio/nsq/apps/nsqd" renews go.sum.
module denosq/interop/go_nsqd

go 1.21

require github.com/nsqio/nsq v1.2.1

// As in the go.mod of NSQ itself.
replace github.com/judwhite/go-svc => github.com/mreiferson/go-svc v1.2.2-0.20210815184239-7a96e00010f6
