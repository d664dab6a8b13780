/** The editor's icons, drawn here: 16 by 16, stroked in the text's colour. */
import type { ReactNode } from "react";

function icon(children: ReactNode) {
  return function Icon() {
    return (
      <svg className="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
        {children}
      </svg>
    );
  };
}

export const PlayIcon = icon(<path d="M4.5 2.8v10.4L13 8z" className="solid" />);
export const StopIcon = icon(<rect x="3" y="3" width="10" height="10" rx="2" className="solid" />);
export const OpenIcon = icon(<path d="M1.8 12.8V3.6h4l1.4 1.7h6v2M1.8 12.8 3.9 7.3h10.8l-2.1 5.5z" />);
export const SaveIcon = icon(<path d="M2.5 2.5h8.6l2.4 2.4v8.6h-11zM5 2.5v3.6h5V2.5M4.6 13.5V9.2h6.8v4.3" />);
export const NewIcon = icon(<path d="M3.5 1.8h5.7l3.3 3.4v9h-9zM9 1.8v3.6h3.5M8 7.4v4.4M5.8 9.6h4.4" />);
export const UndoIcon = icon(<path d="M5.6 3 2.4 6.2l3.2 3.2M2.6 6.2h6.6a3.6 3.6 0 0 1 0 7.2H6" />);
export const RedoIcon = icon(<path d="m10.4 3 3.2 3.2-3.2 3.2M13.4 6.2H6.8a3.6 3.6 0 0 0 0 7.2H10" />);
export const RepeatIcon = icon(
  <path d="M13 5.2A5.6 5.6 0 0 0 3 5.6M3 2v3.6h3.6M3 10.8a5.6 5.6 0 0 0 10-.4M13 14v-3.6H9.4" />,
);
export const PauseIcon = icon(<path d="M5.4 3v10M10.6 3v10" />);
export const GalleryIcon = icon(<path d="M2 3h12v10H2zM2 11l3.4-3.6 2.8 2.8 2-2 3.8 3.4M10.6 6.2h.2" />);
export const FitIcon = icon(<path d="M2 5.6V2h3.6M10.4 2H14v3.6M14 10.4V14h-3.6M5.6 14H2v-3.6" />);
export const PlusIcon = icon(<path d="M8 3v10M3 8h10" />);
export const MinusIcon = icon(<path d="M3 8h10" />);
export const OutlineIcon = icon(<path d="M2.5 3.5h4M5 8h8.5M5 12.5h8.5M2.5 3.5v9H5M2.5 8H5" />);
export const WarningIcon = icon(<path d="M8 2 14.6 13.6H1.4zM8 6.4v3.4M8 11.6v.4" />);
export const ThemeIcon = icon(
  <>
    <circle cx="8" cy="8" r="5.6" />
    <path d="M8 2.4a5.6 5.6 0 0 1 0 11.2z" className="solid" />
  </>,
);
export const ArrangeIcon = icon(
  <path d="M1.8 3h4v4h-4zM10.2 2h4v4h-4zM10.2 10h4v4h-4zM5.8 5h2.2m0 0V4h2.2M8 5v7h2.2" />,
);
export const CloseIcon = icon(<path d="m4 4 8 8M12 4l-8 8" />);
export const DownIcon = icon(<path d="m3.5 6 4.5 4.5L12.5 6" />);
export const UpIcon = icon(<path d="m3.5 10 4.5-4.5L12.5 10" />);
export const LockIcon = icon(<path d="M3.6 7.2h8.8v6.3H3.6zM5.4 7.2V5a2.6 2.6 0 0 1 5.2 0v2.2" />);
export const UploadIcon = icon(<path d="M8 10.6V2.8M4.8 5.8 8 2.6l3.2 3.2M2.5 10.5v3h11v-3" />);
export const DiceIcon = icon(
  <>
    <rect x="2.4" y="2.4" width="11.2" height="11.2" rx="2.4" />
    <circle cx="5.6" cy="5.6" r="1" className="solid" />
    <circle cx="10.4" cy="10.4" r="1" className="solid" />
    <circle cx="8" cy="8" r="1" className="solid" />
  </>,
);
export const QueueIcon = icon(<path d="M2.5 3.5h11M2.5 8h11M2.5 12.5h6.5M12 10.6v3.8l2.6-1.9z" />);
export const StarIcon = icon(<path d="m8 1.8 1.9 4 4.4.6-3.2 3 .8 4.4L8 11.7l-3.9 2.1.8-4.4-3.2-3 4.4-.6z" />);
export const LibraryIcon = icon(
  <path d="M2.5 2.5h4.4v4.4H2.5zM9.1 2.5h4.4v4.4H9.1zM2.5 9.1h4.4v4.4H2.5zM11.3 9.1v4.4M9.1 11.3h4.4" />,
);
export const FolderIcon = icon(<path d="M1.8 12.8V3.6h4l1.4 1.7h7v7.5z" />);
export const RenameIcon = icon(<path d="M2.5 13.5h3l7.6-7.6-3-3L2.5 10.5zM8.6 4.4l3 3" />);
export const DeleteIcon = icon(<path d="M2.5 4.2h11M6 4V2.4h4V4M4 4.2l.7 9.4h6.6l.7-9.4M6.6 6.8v4.4M9.4 6.8v4.4" />);
