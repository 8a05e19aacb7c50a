// Command kube runs a Kubernetes API server or controller manager, chosen by the first argument; the rest are its flags.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register" // `--logging-format json`
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	var command *cobra.Command
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "kube-apiserver":
			command = apiserver.NewAPIServerCommand()
		case "kube-controller-manager":
			command = controllermanager.NewControllerManagerCommand()
		}
	}
	if command == nil {
		fmt.Fprintln(os.Stderr, "usage: kube kube-apiserver|kube-controller-manager [flags]")
		os.Exit(2)
	}
	os.Args = os.Args[1:] // cli.Run reads the flags from there
	os.Exit(cli.Run(command))
}
