// One program that is etcd, kube-apiserver or kube-controller-manager, as its first argument says.
// They share most of their packages: three programs would take three times the room.
package main

import (
	"fmt"
	"os"
	_ "time/tzdata"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	if len(os.Args) > 1 {
		os.Args = os.Args[1:]
		switch os.Args[0] {
		case "etcd":
			etcdmain.Main(os.Args)
			return
		case "kube-apiserver":
			os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
		case "kube-controller-manager":
			os.Exit(cli.Run(manager.NewControllerManagerCommand()))
		}
	}
	fmt.Fprintln(os.Stderr, "usage: kube etcd|kube-apiserver|kube-controller-manager FLAGS")
	os.Exit(2)
}
