"""JPEG: sampling, progressive, grey, CMYK in its three spellings, orientation."""
import io
import struct

from PIL import Image

from common import PICTURES, scene


def save(name, image, **options):
    image.save(PICTURES / f"{name}.jpg", "JPEG", **options)


def encode(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


def exif(orientation, order="<", kind=3, before=()):
    """A TIFF block with one directory; `before` are entries that stand in front of ours."""
    entries = list(before) + [(0x112, kind, 1, orientation)]
    mark = b"II*\0" if order == "<" else b"MM\0*"
    out = mark + struct.pack(order + "IH", 8, len(entries))
    for tag, entry_kind, count, value in entries:
        packed = struct.pack(order + ("HH" if entry_kind == 3 else "I"),
                             *((value, 0) if entry_kind == 3 else (value,)))
        out += struct.pack(order + "HHI", tag, entry_kind, count) + packed
    return b"Exif\0\0" + out + struct.pack(order + "I", 0)


def insert_segment(jpeg, marker, payload):
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


def without_segment(jpeg, marker):
    at = jpeg.index(bytes([0xFF, marker]))
    length = struct.unpack(">H", jpeg[at + 2:at + 4])[0]
    return jpeg[:at] + jpeg[at + 2 + length:]


def write():
    for width, height in ((1, 1), (2, 3), (17, 13), (33, 1), (64, 48)):
        for sampling, name in ((0, "444"), (1, "422"), (2, "420")):
            save(f"rgb_{name}_{width}x{height}", scene(width, height), quality=80, subsampling=sampling)
    save("progressive_420", scene(61, 47), quality=70, progressive=True)
    save("progressive_grey", scene(61, 47, "L"), quality=70, progressive=True)
    save("grey", scene(35, 22, "L"), quality=60)
    save("low_quality", scene(64, 64), quality=5)
    save("restart", scene(64, 64), quality=75, restart_marker_blocks=3)
    save("adobe_rgb", scene(40, 30), quality=75, keep_rgb=True)
    save("icc", scene(20, 20), quality=75, icc_profile=bytes(range(256)) * 4)

    cmyk = encode(scene(31, 23, "CMYK"), quality=85)
    (PICTURES / "cmyk_adobe.jpg").write_bytes(cmyk)
    (PICTURES / "cmyk_plain.jpg").write_bytes(without_segment(cmyk, 0xEE))
    at = cmyk.index(b"Adobe") + 11
    (PICTURES / "ycck.jpg").write_bytes(cmyk[:at] + b"\x02" + cmyk[at + 1:])

    for orientation in range(1, 9):
        save(f"exif_{orientation}", scene(23, 14), quality=85, exif=exif(orientation))
    plain = encode(scene(23, 14), quality=85)
    blocks = {
        "exif_big_endian": exif(6, ">"),
        "exif_long": exif(8, "<", kind=4),
        "exif_out_of_range": exif(9),
        "exif_zero": exif(0),
        "exif_second_entry": exif(3, "<", before=[(0x100, 4, 1, 5), (0x10F, 2, 4, 0x41424344)]),
        "exif_twice": exif(3, "<", before=[(0x112, 3, 1, 6)]),
        "exif_count_2": exif(6)[:-12] + struct.pack("<IHHI", 2, 6, 6, 0),
    }
    for name, block in blocks.items():
        (PICTURES / f"{name}.jpg").write_bytes(insert_segment(plain, 0xE1, block))
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:Description tiff:Orientation=\"6\"/></x:xmpmeta>"
    with_xmp = insert_segment(plain, 0xE1, xmp)
    (PICTURES / "xmp_orientation.jpg").write_bytes(with_xmp)
    (PICTURES / "exif_beats_xmp.jpg").write_bytes(insert_segment(with_xmp, 0xE1, exif(3)))
    element = xmp[:29] + b"<tiff:Orientation>8</tiff:Orientation>"
    (PICTURES / "xmp_element.jpg").write_bytes(insert_segment(plain, 0xE1, element))

    (PICTURES / "no_end_marker.jpg").write_bytes(encode(scene(64, 48), quality=75)[:-2])
    (PICTURES / "trailing_junk.jpg").write_bytes(plain + b"junk after the end" * 20)
    (PICTURES / "fill_bytes.jpg").write_bytes(plain[:2] + b"\xff\xff\xff" + plain[2:])
    mpo = io.BytesIO()
    scene(24, 16).save(mpo, "MPO", save_all=True, append_images=[scene(24, 16).rotate(180)])
    (PICTURES / "two_pictures.jpg").write_bytes(mpo.getvalue())
    return {}
