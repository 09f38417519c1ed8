"""The original script's door: one picture in, a PNG with alpha in a folder.  The same as `bshm matte`, see there."""

import argparse
import os
import sys

from bshm.cli import main

parser = argparse.ArgumentParser(description="Cut the people out of one picture and write a PNG with alpha.")
parser.add_argument("-i", "--input", default="./image-matting/1.png", help="path or URL (default: %(default)s)")
parser.add_argument("-d", "--output_dir", default="./results", help="made when missing (default: %(default)s)")

if __name__ == "__main__":
    arguments = parser.parse_args()
    folder = os.path.join(arguments.output_dir, "")  # noqa: PTH118 - with the slash that makes it a folder
    sys.exit(main(["matte", f"--output={folder}", "--format=png", "--overwrite", "--", arguments.input]))
